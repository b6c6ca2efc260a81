"""Read and check the settings of OpenID Connect. Each error is one sentence that names the setting."""

from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.declarations.reading import Environment
from hoursmith_console.env import is_loopback
from hoursmith_console.secret_settings import read_secret


def read_oidc(env: Environment, var: Path) -> dict[str, str]:
    """Return the OpenID Connect settings: issuer, client_id, secret, name; empty if none is set.

    Raises ImproperlyConfigured if a setting is missing, or the issuer is not https.
    """
    issuer, client, name = env.text("OIDC_ISSUER"), env.text("OIDC_CLIENT_ID"), env.text("OIDC_NAME")
    # The blank default means unset, which is not an error here.
    secret = read_secret(env, var, "OIDC_CLIENT_SECRET", default=" ").strip()
    given = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": client, "OIDC_CLIENT_SECRET": secret}
    missing = [each for each, value in given.items() if not value]
    if len(missing) == len(given):
        return {}
    if missing:
        there = " and ".join(each for each in given if each not in missing)
        lacking = " and ".join(missing)
        raise ImproperlyConfigured(f"Besides {there}, OpenID Connect also needs {lacking}.")
    parts = urlsplit(issuer)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is {issuer!r}; it must be an https:// URL without user name, query or fragment."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ImproperlyConfigured(
            f"OIDC_ISSUER is {issuer!r}; it must be https:// (http:// is allowed for loopback addresses)."
        )
    return {"issuer": issuer.rstrip("/"), "client_id": client, "secret": secret, "name": name or parts.hostname}


def oidc_provider(oidc: dict[str, str]) -> dict[str, object]:
    """Return allauth's SOCIALACCOUNT_PROVIDERS for the provider in `oidc`; without a provider if `oidc` is empty."""
    app = {
        "provider_id": "oidc",
        "name": oidc.get("name"),
        "client_id": oidc.get("client_id"),
        "secret": oidc.get("secret"),
        "settings": {"server_url": oidc.get("issuer")},
    }
    return {"openid_connect": {"APPS": [app] if oidc else [], "OAUTH_PKCE_ENABLED": True}}
