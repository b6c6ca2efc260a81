"""Read and check the settings of OAuth. Each error is one sentence that names the setting."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.declarations.reading import Environment
from hoursmith_console.env import is_loopback
from hoursmith_console.secret_settings import read_secret, read_secret_list
from mcpbridge.grants.limits import MAX_ACCESS_HOURS, MAX_GRANT_DAYS

KEY, OLD_KEYS = "OAUTH_SEALING_KEY", "OAUTH_SEALING_KEYS_OLD"
_LEAST_KEY_LENGTH = 32


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


def read_settings(env: Environment, var: Path, *, public_url: str, is_sandbox: bool) -> OAuthSettings:
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
    old = read_secret_list(env, OLD_KEYS)
    for name, each in [(KEY, key), *((OLD_KEYS, each) for each in old)]:
        if each and len(each) < _LEAST_KEY_LENGTH:
            raise ImproperlyConfigured(f"{name} is too short; use {_LEAST_KEY_LENGTH} or more random characters.")
    sign_in = env.text("OAUTH_SIGN_IN", default="optional" if is_local else "required")
    return OAuthSettings(
        is_on=is_on,
        sealing_key=key,
        old_keys=old,
        clients=env.text("OAUTH_CLIENTS"),
        redirects=[_redirect(each) for each in env.several("OAUTH_REDIRECTS")],
        sign_in=sign_in,
        access_hours=_limited("OAUTH_ACCESS_HOURS", env.number("OAUTH_ACCESS_HOURS"), MAX_ACCESS_HOURS),
        grant_days=_limited("OAUTH_GRANT_DAYS", env.number("OAUTH_GRANT_DAYS"), MAX_GRANT_DAYS),
    )


def _is_on(env: Environment, *, public_url: str, is_default: bool) -> bool:
    parts = urlsplit(public_url)
    is_safe = parts.scheme == "https" or is_loopback(parts.hostname)
    is_on = env.switch("OAUTH", default=is_default and is_safe)
    if is_on and not is_safe:
        raise ImproperlyConfigured(
            f"OAUTH is on, but PUBLIC_URL is {public_url}; assistants sign in only over https:// (or on loopback)."
        )
    return is_on


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
