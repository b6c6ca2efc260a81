"""Headers of every response that is not a page: of the bridge, the health checks and the metrics."""

from functools import cache

from django.conf import settings

Header = tuple[bytes, bytes]

_PLAIN: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # These responses are not for browsers; one that opens them anyway must run and embed nothing.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


@cache
def plain_headers() -> tuple[Header, ...]:
    """Return the headers. Cached: settings do not change while a process serves."""
    if not settings.SECURE_HSTS_SECONDS:
        return _PLAIN
    promise = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
    return (*_PLAIN, (b"strict-transport-security", promise.encode()))
