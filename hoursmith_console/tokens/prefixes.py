"""Reads the public names of tokens that people type and addresses carry; a whole token is never taken for one."""

import re

_ADDRESS = re.compile(r"(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})", re.ASCII)


def key_from_address(text: str) -> tuple[str, str] | None:
    """Environment and prefix of `live_4f8a2c1bdedf`, as addresses name a token; None where it is none."""
    match = _ADDRESS.fullmatch(text)
    return (match["env"], match["prefix"]) if match else None
