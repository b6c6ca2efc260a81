"""Check the addresses that log destinations may call: the public internet and networks that the operator allowed.

A member chooses an address that this machine then calls from inside its network (SSRF). So every address that the
host name resolves to is checked, and the connection is made to a checked address: a name that resolves differently
the next time (DNS rebinding) has no effect.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from mcpbridge.audit.destinations.errors import DestinationError
from mcpbridge.core.networks import Network, parse_networks
from mcpbridge.redaction.masking import redact

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that look public but are not: those that embed an IPv4 address, relays to such, and cloud metadata
# services.
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
# One text for all cases, so that it does not reveal which internal names exist.
NOT_PUBLIC_TEXT = (
    "{host} does not resolve to an address on the public internet."
    " Ask the operator to allow a private network in LOG_DESTINATION_PRIVATE_NETWORKS."
)


class RefusedTargetError(DestinationError):
    """The address must not be called."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed address: host, port, TLS, and `path` with its query."""

    host: str
    port: int
    is_tls: bool
    path: str = ""


def webhook_target(url: str) -> Target:
    """Parse the URL of a webhook that pages show. Raises RefusedTargetError."""
    target = secret_webhook_target(url)
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if _SECRET_NAMES.search(name) or _SECRET_VALUE.fullmatch(value):
            raise RefusedTargetError(
                "The query of the address seems to contain a secret, which pages would show."
                " Remove it: each request is signed."
            )
    return target


def secret_webhook_target(url: str) -> Target:
    """Parse the URL of a webhook that is kept encrypted, as chats use it. Raises RefusedTargetError."""
    target = _parsed(url, {"https": 443, "http": 80})
    if not target.is_tls and not _is_loopback_name(target.host):
        raise RefusedTargetError(
            "The address of a webhook must begin with https://. Plain http:// is allowed for loopback only."
        )
    return target


def syslog_target(url: str) -> Target:
    """Parse the address of a syslog server, `tls://host:6514` or `tcp://host:601`. Raises RefusedTargetError."""
    target = _parsed(url, {"tls": 6514, "tcp": 601})
    if target.path:
        raise RefusedTargetError("The address of a syslog server must not have a path.")
    return target


def checked_addresses(target: Target) -> list[str]:
    """Resolve the host and return its IP addresses. Raises RefusedTargetError if any of them must not be called."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = parse_networks(settings.LOG_DESTINATION_PRIVATE_NETWORKS)
    if not addresses or not all(_may_call(address, allowed) for address in addresses):
        raise RefusedTargetError(NOT_PUBLIC_TEXT.format(host=target.host))
    return addresses


def is_public(address: Address) -> bool:
    """Return whether `address` belongs to the public internet."""
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


def _parsed(url: str, schemes: dict[str, int]) -> Target:
    """Parse `url`; `schemes` maps each allowed scheme to its default port."""
    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
    # Browsers, proxies and parsers treat these characters differently; a server address needs none of them.
    if not url.isascii() or not url.isprintable() or any(character in url for character in " \\<>\"'`{}|^"):
        raise RefusedTargetError("The address contains characters that are not allowed in an address.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedTargetError("The address is invalid: check its host and port.") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise RefusedTargetError(f"The address must begin with {beginnings} and contain a host.")
    if "@" in parts.netloc or parts.fragment:
        raise RefusedTargetError("The address must not contain a user, password or fragment.")
    if redact(url) != url:
        raise RefusedTargetError("The address contains a token.")
    if port == 0:
        raise RefusedTargetError("Port 0 is not a valid port.")
    # A query needs a path, at least the root (RFC 9112 3.2.1).
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path
    return Target(parts.hostname, port or schemes[parts.scheme], parts.scheme in ("https", "tls"), path)
