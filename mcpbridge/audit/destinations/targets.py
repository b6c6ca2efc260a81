"""Where a sink may send to: the public internet, and the networks that the operator named.

Whoever may make a sink chooses an address that this machine then calls, from inside its network. So every address that
a name leads to is looked at, and the connection goes to one that was looked at: a name that answers differently the
next time (DNS rebinding) changes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from mcpbridge.audit.destinations.errors import SinkError
from mcpbridge.core.networks import Network, parse_networks
from mcpbridge.redaction.masking import redact

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public by their number alone: ranges that wrap an IPv4 address, which is then where packets go, relays to such, and
# a cloud's own services.
_NOT_PUBLIC = parse_networks(
    [
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    ]
)
_SECRET_NAMES = re.compile(r"token|key|secret|sig|auth|pass|pwd|credential|session|jwt|code", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"[A-Za-z0-9+/_=.~-]{20,}")
# One answer for all of them: which names exist inside is nobody's business.
UNREACHABLE = "{host} does not lead to an address on the public internet"
_MEND = "; networks of your own must be named in SINK_PRIVATE_NETWORKS by whoever runs the console."


class RefusedDestinationError(SinkError):
    """A sink must not send there."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that may be asked for, over TLS or not; `path` with its query where there is one."""

    host: str
    port: int
    is_tls: bool
    path: str = ""


def webhook_destination(url: str) -> Destination:
    """The parts of a webhook's address. Raises RefusedDestinationError."""
    destination = _parsed(url, {"https": 443, "http": 80})
    if not destination.is_tls and not _is_loopback_name(destination.host):
        raise RefusedDestinationError("A webhook's address begins with https://; http:// is for loopback alone.")
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if _SECRET_NAMES.search(name) or _SECRET_VALUE.fullmatch(value):
            raise RefusedDestinationError(
                "The address has something like a secret in its query, and would show it on every page."
                " Leave it out: each request is signed."
            )
    return destination


def syslog_destination(url: str) -> Destination:
    """The parts of a syslog server's address, `tls://host:6514` or `tcp://host:601`. Raises RefusedDestinationError."""
    destination = _parsed(url, {"tls": 6514, "tcp": 601})
    if destination.path:
        raise RefusedDestinationError("A syslog server's address ends with its port.")
    return destination


def checked_addresses(destination: Destination) -> list[str]:
    """The numeric addresses of the host, all of which may be called. Raises RefusedDestinationError."""
    try:
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = parse_networks(settings.SINK_PRIVATE_NETWORKS)
    if not addresses or not all(_may_call(address, allowed) for address in addresses):
        raise RefusedDestinationError(UNREACHABLE.format(host=destination.host) + _MEND)
    return addresses


def is_public(address: Address) -> bool:
    """Whether packets to `address` leave for the public internet, as far as its number says."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_multicast or not address.is_global:
        return False
    return not _is_in(address, _NOT_PUBLIC)


def _may_call(text: str, allowed: Sequence[Network]) -> bool:
    if "%" in text:
        return False
    address: Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return is_public(address) or _is_in(address, allowed)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _is_loopback_name(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _parsed(url: str, schemes: dict[str, int]) -> Destination:
    """`url` in its parts; its scheme is one of `schemes`, each with the port that goes without saying."""
    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
    # Browsers, proxies and parsers disagree about these; an address for a server needs none of them.
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\<>\"'`{}|^"):
        raise RefusedDestinationError("The address has signs in it that no address has.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedDestinationError("The address cannot be read; its host or its port is wrong.") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise RefusedDestinationError(f"The address begins with {beginnings} and names a host.")
    if "@" in parts.netloc or parts.fragment:
        raise RefusedDestinationError("The address must be without user, password and fragment.")
    if redact(url) != url:
        raise RefusedDestinationError("The address has a token in it.")
    if port == 0:
        raise RefusedDestinationError("Port 0 is no port.")
    # A query goes with a path, at least with the root (RFC 9112 3.2.1).
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path
    return Destination(parts.hostname, port or schemes[parts.scheme], parts.scheme in ("https", "tls"), path)
