"""Apply forwarding headers from trusted proxies to the ASGI scope, and remove all of them from the request.

The only code that reads such headers. After it, a request's address and scheme are what the ASGI scope says, for the
bridge and for Django alike, and no forwarding header is left to be read by mistake.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mcpbridge.core.networks import Network, is_within
from mcpbridge.http.addresses import client_address

Scope = dict[str, Any]

_FOR, _PROTO = b"x-forwarded-for", b"x-forwarded-proto"
# What proxies and frameworks use besides X-Forwarded-*, including RFC 7239's own header.
_OTHERS = frozenset(
    {
        b"forwarded",
        b"front-end-https",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-host",
        b"x-original-host",
        b"x-original-url",
        b"x-real-ip",
        b"x-rewrite-url",
        b"x-scheme",
        b"x-url-scheme",
    }
)


@lru_cache(maxsize=1024)
def is_forwarding_header(name: bytes) -> bool:
    """Return whether the header describes the request as it was before a proxy."""
    # Some servers treat an underscore as a hyphen.
    name = name.lower().replace(b"_", b"-")
    return name.startswith(b"x-forwarded-") or name in _OTHERS


def apply_forwarding_headers(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """Return `scope` with the original client's address and scheme, and without forwarding headers.

    Only X-Forwarded-For and X-Forwarded-Proto of a peer in `trusted` are used, each read from the right: values
    further left may be the client's own. Addresses are normalised (`parse_address`).
    """
    said = [line for line in scope["headers"] if is_forwarding_header(line[0])]
    if said:
        scope = {**scope, "headers": [line for line in scope["headers"] if not is_forwarding_header(line[0])]}
    peer = scope.get("client")
    if peer is None:
        return scope
    address = client_address(peer[0], [value.decode("latin-1") for name, value in said if name == _FOR], trusted)
    if address != peer[0]:
        # The port is the peer's own, not the client's.
        scope = {**scope, "client": (address, 0)}
    if said and is_within(peer[0], trusted):
        schemes = b",".join(value for name, value in said if name == _PROTO).split(b",")
        if (scheme := schemes[-1].strip().lower()) in (b"http", b"https"):
            scope = {**scope, "scheme": scheme.decode()}
    return scope
