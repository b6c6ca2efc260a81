"""Keys in forms and addresses: whatever stands there, it is a key or it is none."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from hoursmith_console.core.keys import key_from
from tests.hoursmith_console.conftest import Cast

ODD = ["", "²", "٣", "1_000", " 1", "+1", "-1", "0", "1.0", "1e3", "9" * 19, "9" * 20, "9" * 5000, "\x00", "live_x"]
# What forms of the console call a key.
NAMES = ("session", "token", "target", "claim", "key", "workspace", "connection", "before", "member", "device", "added")


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_key_is_none(text: str) -> None:
    assert key_from(text) is None


@pytest.mark.parametrize(("text", "key"), [("1", 1), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_a_key_is_a_whole_number(text: str, key: int) -> None:
    assert key_from(text) == key


def _names(resolver: URLResolver, spaces: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern, (*spaces, pattern.namespace) if pattern.namespace else spaces)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield ":".join((*spaces, pattern.name)), len(pattern.pattern.converters)


def test_no_form_and_no_address_fails_at_an_odd_key(cast: Cast) -> None:
    browser = Client(raise_request_exception=True)
    member = cast.people["owner"]
    assert member.user is not None
    walked = 0
    for name, arguments in dict(_names(get_resolver())).items():
        if arguments or name.endswith(("logout", "sandbox")):
            continue
        try:
            address = reverse(name)
        except NoReverseMatch:
            continue
        walked += 1
        for odd in ("²", "9" * 5000, "9" * 19):
            browser.force_login(member.user)
            given = dict.fromkeys(NAMES, odd)
            assert browser.post(address, given).status_code < 500, (name, odd)
            assert browser.get(address, given).status_code < 500, (name, odd)
    assert walked > 40
