"""Decide which redirect addresses are acceptable (OAuth 2.1 sections 2.3 and 7.5, RFC 8252 section 7.3).

Acceptable are the addresses of known assistants, loopback addresses on any port, and those that the operator added in
OAUTH_REDIRECTS; with OAUTH_CLIENTS=any every https address. Never: a user name, a fragment, other http, our own host.
"""

import re
from urllib.parse import urlsplit

from django.conf import settings

from mcpbridge.grants import config
from mcpbridge.grants.known_clients import known_by_redirect

MAX_LENGTH = 500
RULE = (
    "Use the https address of an assistant that this console knows, or http://localhost, http://127.0.0.1 or"
    " http://[::1] with any port, without a fragment. An operator can add addresses to OAUTH_REDIRECTS."
)
_PATH = r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
_LOOPBACK = re.compile(
    rf"http://(?P<host>localhost|127\.0\.0\.1|\[::1\])(?P<port>:[1-9][0-9]{{0,4}})?{_PATH}", re.ASCII
)
_HTTPS = re.compile(
    r"https://(?P<host>(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])(?::[1-9][0-9]{0,4})?"
    rf"{_PATH}(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.ASCII,
)


def is_acceptable(address: str) -> bool:
    """Return whether answers may be sent to `address` now."""
    if len(address) > MAX_LENGTH or _is_our_own(address):
        return False
    if is_loopback(address) or known_by_redirect(address) is not None or address in settings.OAUTH_REDIRECTS:
        return True
    return config.accepts_any_client() and _HTTPS.fullmatch(address) is not None


def is_loopback(address: str) -> bool:
    """Return whether `address` is on the user's own computer."""
    return _LOOPBACK.fullmatch(address) is not None


def loopback_path(address: str) -> str | None:
    """Return the path of a loopback address; None if it is none."""
    found = _LOOPBACK.fullmatch(address)
    return None if found is None else found["path"] or ""


def without_port(address: str) -> str:
    """Return a loopback address without its port, which may differ each time; any other address unchanged."""
    found = _LOOPBACK.fullmatch(address)
    return address if found is None else f"http://{found['host']}{found['path'] or ''}"


def shown_host(address: str) -> str:
    """Return what the user sees of `address`: its host, with the scheme if it is no web address."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    return host if parts.scheme in ("http", "https") else f"{parts.scheme}://{host}"


def _is_our_own(address: str) -> bool:
    ours = urlsplit(config.issuer())
    try:
        theirs = urlsplit(address)
        ports = [each.port or (443 if each.scheme == "https" else 80) for each in (ours, theirs)]
    except ValueError:
        return True
    if is_loopback(address):
        # All loopback names are one machine, so the port decides.
        return _is_loopback_host(ours.hostname or "") and ports[0] == ports[1]
    return (theirs.hostname or "").rstrip(".") == ours.hostname


def _is_loopback_host(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
