"""The settings of OAuth, read when they are needed."""

from datetime import timedelta

from django.conf import settings

CODE_LIFETIME = timedelta(seconds=60)
PENDING_LIFETIME = timedelta(minutes=10)


def is_enabled() -> bool:
    """Return whether assistants may sign in."""
    return bool(settings.OAUTH)


def issuer() -> str:
    """Return the issuer: PUBLIC_URL, which never ends with a slash."""
    return str(settings.PUBLIC_URL)


def accepts_any_client() -> bool:
    """Return whether assistants that `clients` does not list may sign in."""
    return bool(settings.OAUTH_CLIENTS == "any")


def access_lifetime() -> timedelta:
    """Return how long an access envelope is valid."""
    return timedelta(hours=settings.OAUTH_ACCESS_HOURS)


def grant_lifetime() -> timedelta:
    """Return how long a grant lasts at most."""
    return timedelta(days=settings.OAUTH_GRANT_DAYS)
