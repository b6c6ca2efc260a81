"""Where a request came from, and whether it was meant for us."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from django.http.request import split_domain_port, validate_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IPv4 as a socket for both families shows it (RFC 4291 section 2.5.5.2).
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
# As proxies write an address with its port, or IPv6 without one (RFC 7239 section 6).
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\](?::[0-9]{1,5})?|(?P<four>[0-9.]+):[0-9]{1,5})")


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks such as `10.0.0.0/8`, or single addresses; raise ValueError naming the one that is neither."""
    return tuple(_plain_network(ipaddress.ip_network(text.strip(), strict=False)) for text in texts if text.strip())


def _plain_network(network: Network) -> Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        four = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        return ipaddress.IPv4Network((four, network.prefixlen - _MAPPED.prefixlen))
    return network


# Callers come again and again; the bound keeps strangers from filling memory.
@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Return the address that `text` names, with a port or without; None where it names none.

    One host has one address, however it is written: IPv4 in place of an IPv4-mapped one, and without a zone, which
    means something on the machine that wrote it alone.
    """
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(((found["six"] or found["four"]) if found else text).partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the address that asks: the peer's, or, through trusted proxies, the nearest one they vouch for.

    `forwarded` are the X-Forwarded-For lines in their order. They are read from the right, since only what
    a trusted proxy appended is true; everything left of the first stranger is the stranger's own claim.
    """
    address = parse_address(peer or "")
    if address is None:
        return peer or ""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and _is_in(address, trusted):
        hop = parse_address(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


def is_within(text: str, networks: Sequence[Network]) -> bool:
    """Return whether `text` is an address in one of `networks`."""
    address = parse_address(text)
    return address is not None and _is_in(address, networks)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
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
