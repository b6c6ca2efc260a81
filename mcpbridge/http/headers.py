"""The headers of every answer that is not a page: those of the bridge, the health checks and monitoring."""

from functools import cache

from django.conf import settings

Header = tuple[bytes, bytes]

_PLAIN: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # Nothing here is ever shown: where a browser is led to it all the same, it shall run and embed nothing.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


@cache
def plain_headers() -> tuple[Header, ...]:
    """Made once: settings do not change while a process serves."""
    if not settings.SECURE_HSTS_SECONDS:
        return _PLAIN
    promise = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
    return (*_PLAIN, (b"strict-transport-security", promise.encode()))
