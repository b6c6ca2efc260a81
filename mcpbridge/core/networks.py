"""Parse IP addresses and networks."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

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


# The same callers return; the limit keeps others from filling the memory.
@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Return the address in `text`, with a port or without; None if it is not an address.

    The address is normalised: IPv4 instead of an IPv4-mapped one, and without a zone, which is meaningful only on the
    machine that wrote it.
    """
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(((found["six"] or found["four"]) if found else text).partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def is_within(text: str, networks: Sequence[Network]) -> bool:
    """Return whether `text` is an address in one of `networks`."""
    address = parse_address(text)
    return address is not None and is_in(address, networks)


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether `address` is in one of `networks`."""
    return any(address.version == network.version and address in network for network in networks)
