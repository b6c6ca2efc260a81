"""Believes what a request says of its way here only where a trusted proxy says it; nothing else ever sees it said.

The one place that reads such headers. Behind it a request's address and scheme are what the ASGI scope says, for the
bridge and for Django alike, and no forwarding header is left that anything could read by mistake.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mcpbridge.core.networks import Network, is_within
from mcpbridge.http.addresses import client_address

Scope = dict[str, Any]

_FOR, _PROTO = b"x-forwarded-for", b"x-forwarded-proto"
# What proxies and frameworks use besides everything that begins with X-Forwarded-, RFC 7239's own included.
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
    """Whether the header says where a request came from or what it was before a proxy, rather than what it asks."""
    # Some servers take an underscore for a hyphen.
    name = name.lower().replace(b"_", b"-")
    return name.startswith(b"x-forwarded-") or name in _OTHERS


def apply_forwarding_headers(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """`scope` with the address and scheme of whoever sent the request first, and without forwarding headers.

    Only a peer in `trusted` is believed, and of what it says X-Forwarded-For and X-Forwarded-Proto, each read from
    the right: what stands further left may be the client's own. An address is written in one way (`parse_address`).
    """
    said = [line for line in scope["headers"] if is_forwarding_header(line[0])]
    if said:
        scope = {**scope, "headers": [line for line in scope["headers"] if not is_forwarding_header(line[0])]}
    peer = scope.get("client")
    if peer is None:
        return scope
    address = client_address(peer[0], [value.decode("latin-1") for name, value in said if name == _FOR], trusted)
    if address != peer[0]:
        # The port is the peer's own, and says nothing of whoever stands behind it.
        scope = {**scope, "client": (address, 0)}
    if said and is_within(peer[0], trusted):
        schemes = b",".join(value for name, value in said if name == _PROTO).split(b",")
        if (scheme := schemes[-1].strip().lower()) in (b"http", b"https"):
            scope = {**scope, "scheme": scheme.decode()}
    return scope
