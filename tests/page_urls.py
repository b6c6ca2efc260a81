"""Every address that the console's pages have: what is added later is found as well."""

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

# Something that fits each kind of key in an address, and names nothing that is there.
KEYS = {
    "int": "987654",
    "uuid": "0b6fd4f6-0000-4000-8000-000000000000",
    "slug": "nothing-here",
    "str": "nothing-here",
    "path": "nothing-here",
    "prefix": "live_000000000000",
}
_KEY = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """The routes below `resolver` as the code writes them, with their keys."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)
        else:
            yield from routes(pattern, prefix + str(pattern.pattern))


def every_route() -> list[str]:
    """All routes of the product behind the bridge, those of the sandbox's API and the refusals of OAuth included."""
    return sorted(set(routes(get_resolver())))


def console_routes() -> list[str]:
    """The routes behind the console's door."""
    namespace = next(
        pattern
        for pattern in get_resolver().url_patterns
        if isinstance(pattern, URLResolver) and pattern.namespace == "console"
    )
    return sorted(set(routes(namespace)))


def account_routes() -> list[str]:
    """The routes of signing in and of one's own account."""
    return sorted({route for route in routes(get_resolver()) if route.startswith("accounts/") and "^" not in route})


def filled(route: str, keys: dict[str, str] | None = None) -> str:
    """The address of `route`, each key by its kind, from `keys` or else one that finds nothing."""
    return "/" + _KEY.sub(lambda key: {**KEYS, **(keys or {})}[key["converter"] or "str"], route)
