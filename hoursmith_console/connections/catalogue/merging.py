"""What the merging script in the browser needs to know: where the entry goes, and what it is.

`static/console/merge.js` reads this as JSON from the page. The user's file never leaves the browser.
"""

import json
from typing import Any

from hoursmith_console.connections.catalogue.mcp_client import (
    FOLDER,
    INPUT_FAMILY,
    SERVER,
    SLOT,
    Access,
    Client,
    Target,
)
from mcpbridge.auth.credentials import credential_from_text


def merge_contract(
    client: Client,
    *,
    url: str,
    prefix: str | None = None,
    access: Access = "full",
    folder: str = FOLDER,
    token: str | None = None,
) -> dict[str, Any] | None:
    """Return `language`, `text` (the whole file where there is none yet) and `pieces`, each with `path` and `value`.

    None for YAML, which is not changed in the browser. A piece with `family` is an item of the list at `path` and
    takes the place of an item whose id begins so, unless another server uses that one. The token is in it only where
    it is given and the client needs it; raises CredentialError as `Snippet.render`.
    """
    if client.language == "yaml":
        return None
    config = client.config(Target(url, prefix, access == "readonly", folder))
    pieces: list[dict[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, list):
            pieces += [{"path": [key], "value": item, "family": INPUT_FAMILY} for item in value]
        else:
            pieces.append({"path": [key, SERVER], "value": value[SERVER]})
    contract = {"language": client.language, "text": client.render(config), "pieces": pieces}
    if token is None:
        return contract
    filled: dict[str, Any] = json.loads(json.dumps(contract).replace(SLOT, credential_from_text(token).token))
    return filled
