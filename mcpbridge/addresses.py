"""Where a request came from, and whether it was meant for us."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from django.http.request import split_domain_port, validate_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks such as `10.0.0.0/8`, or single addresses; raises ValueError naming the one that is neither."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address that asks: the peer's, or, through trusted proxies, the nearest one they vouch for.

    `forwarded` are the X-Forwarded-For lines in their order. They are read from the right, since only what
    a trusted proxy appended is true; everything left of the first stranger is the stranger's own claim.
    """
    address = peer or ""
    if not trusted or not is_within(address, trusted):
        return address
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    for hop in reversed(hops):
        if not _is_address(hop):
            return address
        address = hop
        if not is_within(hop, trusted):
            return address
    return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_within(text: str, networks: Sequence[Network]) -> bool:
    """Whether `text` is an address in one of `networks`."""
    if not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        # How a socket for both families names an IPv4 peer.
        address = address.ipv4_mapped
    return any(address.version == network.version and address in network for network in networks)


class Audience:
    """Which Host and Origin values are ours (DNS-rebinding protection, MCP 2026-07-28 transport security)."""

    def __init__(self, allowed_hosts: Sequence[str]) -> None:
        self._allowed = tuple(allowed_hosts)
        # Headers repeat from request to request; the bound keeps a stranger from filling memory.
        self.is_our_host = lru_cache(maxsize=256)(self._is_our_host)
        self.is_our_origin = lru_cache(maxsize=256)(self._is_our_origin)

    def _is_our_host(self, host: str) -> bool:
        domain, _ = split_domain_port(host)
        return bool(domain) and validate_host(domain, self._allowed)

    def _is_our_origin(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and self._is_our_host(parts.netloc)
        except ValueError:
            return False
