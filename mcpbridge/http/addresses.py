"""Find a request's client address, and check its Host and Origin."""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from django.http.request import split_domain_port, validate_host

from mcpbridge.core.networks import Network, is_in, parse_address


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the client's address: the peer's, or the one that trusted proxies report.

    `forwarded` are the X-Forwarded-For lines in order. They are read from the right, since only what a trusted proxy
    appended is reliable: everything left of the first untrusted address is that client's own claim.
    """
    if not forwarded:
        return _normal(peer or "")
    address = parse_address(peer or "")
    if address is None:
        return peer or ""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and is_in(address, trusted):
        hop = parse_address(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


@lru_cache(maxsize=1024)
def _normal(peer: str) -> str:
    """Return the address `peer` in its normal form. Cached: clients keep their connections."""
    return str(parse_address(peer) or peer)


class AllowedHosts:
    """Check Host and Origin values (DNS-rebinding protection, MCP 2026-07-28 transport security)."""

    def __init__(self, allowed_hosts: Sequence[str]) -> None:
        self._allowed = tuple(allowed_hosts)
        # Headers repeat from request to request; the limit keeps clients from filling the memory.
        self.allows_host = lru_cache(maxsize=256)(self._is_our_host)
        self.allows_origin = lru_cache(maxsize=256)(self._is_our_origin)

    def _is_our_host(self, host: str) -> bool:
        domain, _ = split_domain_port(host)
        return bool(domain) and validate_host(domain, self._allowed)

    def _is_our_origin(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and self._is_our_host(parts.netloc)
        except ValueError:
            return False
