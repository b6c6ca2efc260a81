"""Takes a request that names its host in its target for the one that names it in the Host header.

RFC 9112 section 3.2.2: a server must accept the absolute form, `POST http://console.example/mcp HTTP/1.1`, and go by
the host in it, whatever the Host header says. Behind this a path is a path and Host is the one host that was asked for.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]

# What precedes the query, which an ASGI server has taken off.
_ABSOLUTE = re.compile(rb"https?://(?P<host>[^/?#]*)(?P<path>/[^?#]*)?", re.IGNORECASE)


def to_origin_form(scope: Scope) -> Scope:
    """Return `scope` with the path as target and the target's host as Host; as it is where the target is no URL.

    The target's scheme is not believed: how a request came is what the connection says, or a trusted proxy.
    """
    if scope["path"].startswith("/"):
        return scope
    found = _ABSOLUTE.fullmatch(scope.get("raw_path") or scope["path"].encode())
    if found is None:
        return scope
    path = found["path"] or b"/"
    headers = [line for line in scope["headers"] if line[0] != b"host"]
    return {
        **scope,
        "path": unquote_to_bytes(path).decode(errors="replace"),
        "raw_path": path,
        "headers": [(b"host", found["host"]), *headers],
    }
