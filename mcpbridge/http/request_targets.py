"""Convert a request whose target is a whole URL into one with a path and a Host header.

RFC 9112 section 3.2.2: a server must accept the absolute form, `POST http://console.example/mcp HTTP/1.1`, and go by
the host in it, whatever the Host header says. After this the path is a path and Host is the requested host.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]

# The target without its query, which the ASGI server has split off.
_ABSOLUTE = re.compile(rb"https?://(?P<host>[^/?#]*)(?P<path>/[^?#]*)?", re.IGNORECASE)


def to_origin_form(scope: Scope) -> Scope:
    """Return `scope` with the path as target and the target's host as Host; unchanged if the target is not a URL.

    The target's scheme is ignored: the scheme is that of the connection, or what a trusted proxy reports.
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
