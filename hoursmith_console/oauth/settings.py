"""Read and check the settings of OAuth. Each error is one sentence that names the setting."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.env import check_choice, is_loopback
from hoursmith_console.secret_settings import read_optional_secret, read_secret
from mcpbridge.grants.limits import MAX_ACCESS_HOURS, MAX_GRANT_DAYS

KEY = "OAUTH_SEALING_KEY"
_LEAST_KEY_LENGTH = 32
_CLIENTS = ("known", "any")
_SIGN_IN = ("required", "optional")


class OAuthSettings(NamedTuple):
    """The values of the settings that begin with OAUTH."""

    is_on: bool
    sealing_key: str
    old_keys: list[str]
    clients: str
    redirects: list[str]
    sign_in: str
    access_hours: float
    grant_days: float


def read_settings(env: environ.Env, var: Path, *, public_url: str, is_sandbox: bool) -> OAuthSettings:
    """Return the settings of OAuth.

    By default it is on in the sandbox and on loopback, if there is a key, and members need not sign in to the console.
    Raises ImproperlyConfigured.
    """
    is_local = is_sandbox or is_loopback(urlsplit(public_url).hostname)
    # The blank default means unset, which is only an error if OAuth is on.
    key = read_secret(env, var, KEY, default=" ").strip()
    is_on = _is_on(env, public_url=public_url, is_default=is_local and bool(key))
    if is_on and not key:
        raise ImproperlyConfigured(f"OAUTH is on, but {KEY} is not set. Set {KEY} or {KEY}_FILE.")
    old = [each.strip() for each in read_optional_secret(env, f"{KEY}S_OLD").split(",") if each.strip()]
    for name, each in [(KEY, key), *((f"{KEY}S_OLD", each) for each in old)]:
        if each and len(each) < _LEAST_KEY_LENGTH:
            raise ImproperlyConfigured(f"{name} is too short; use {_LEAST_KEY_LENGTH} or more random characters.")
    sign_in = env.str("OAUTH_SIGN_IN", default="optional" if is_local else "required")
    return OAuthSettings(
        is_on=is_on,
        sealing_key=key,
        old_keys=old,
        clients=check_choice("OAUTH_CLIENTS", env.str("OAUTH_CLIENTS", default="known"), _CLIENTS),
        redirects=[_redirect(each) for each in env.list("OAUTH_REDIRECTS", default=[])],
        sign_in=check_choice("OAUTH_SIGN_IN", sign_in, _SIGN_IN),
        access_hours=_limited("OAUTH_ACCESS_HOURS", env.float("OAUTH_ACCESS_HOURS", default=12.0), MAX_ACCESS_HOURS),
        grant_days=_limited("OAUTH_GRANT_DAYS", env.float("OAUTH_GRANT_DAYS", default=90.0), MAX_GRANT_DAYS),
    )


def _is_on(env: environ.Env, *, public_url: str, is_default: bool) -> bool:
    parts = urlsplit(public_url)
    is_safe = parts.scheme == "https" or is_loopback(parts.hostname)
    is_on = env.bool("OAUTH", default=is_default and is_safe)
    if is_on and not is_safe:
        raise ImproperlyConfigured(
            f"OAUTH is on, but PUBLIC_URL is {public_url}; assistants sign in only over https:// (or on loopback)."
        )
    return bool(is_on)


def _redirect(address: str) -> str:
    """Return an address of OAUTH_REDIRECTS: https, or a private scheme, with a host and without user or fragment."""
    try:
        parts = urlsplit(address)
        is_fine = bool(parts.scheme and parts.netloc) and parts.scheme not in ("http", "javascript", "data", "file")
    except ValueError:
        is_fine = False
    if not is_fine or "@" in parts.netloc or "#" in address or not address.isascii() or not address.isprintable():
        raise ImproperlyConfigured(
            f"OAUTH_REDIRECTS contains {address!r}; use whole https:// addresses without user name and fragment."
        )
    return address


def _limited(name: str, value: float, most: float) -> float:
    if not 0 < value <= most:
        raise ImproperlyConfigured(f"{name} is {value:g}; it must be more than 0 and at most {most}.")
    return value
