"""Parse token prefixes from URLs and forms; a whole token never parses."""

import re

_ADDRESS = re.compile(r"(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})", re.ASCII)


def key_from_address(text: str) -> tuple[str, str] | None:
    """Return environment and prefix of `live_4f8a2c1bdedf`; None if malformed."""
    match = _ADDRESS.fullmatch(text)
    return (match["env"], match["prefix"]) if match else None
