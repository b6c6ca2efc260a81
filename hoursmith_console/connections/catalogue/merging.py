"""Data for the merging script in the browser: the entry and its location.

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
    McpClient,
    Target,
)
from mcpbridge.auth.credentials import credential_from_text


def merge_contract(
    client: McpClient,
    *,
    url: str,
    prefix: str | None = None,
    access: Access = "full",
    folder: str = FOLDER,
    token: str | None = None,
) -> dict[str, Any] | None:
    """Return `language`, `text` (the whole file, if the user has none) and `pieces`, each with `path` and `value`.

    Return None for YAML, which the browser cannot merge, and for a client that reads no file. A piece with `family` is
    an item of the list at `path` and replaces an item whose id starts with it, unless another server uses that item.
    The token is included only if it is given and the client needs it. Raises CredentialError as `Snippet.render` does.
    """
    if client.language == "yaml" or client.config is None:
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
