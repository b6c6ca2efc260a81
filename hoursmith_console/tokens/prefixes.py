"""Parse token prefixes from URLs and forms; a whole token never parses."""

import re

from mcpbridge.models import TokenRef

_ADDRESS = re.compile(r"(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})", re.ASCII)


def ref_from_address(text: str) -> TokenRef | None:
    """Parse `live_4f8a2c1bdedf`; return None if malformed."""
    match = _ADDRESS.fullmatch(text)
    return TokenRef(match["env"], match["prefix"]) if match else None
