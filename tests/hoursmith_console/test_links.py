"""Every token, member and assistant that a page names is a link to its page."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client

from hoursmith_console.workspaces.models import Member
from tests.hoursmith_console.conftest import Cast
from tests.page_urls import console_routes
from tests.security.conftest import World, nothing_listens, populate  # noqa: F401 – a fixture

Browse = Callable[[str], Client]
_TOKEN = re.compile(r"hsk_(?:live|test)_[0-9A-Za-z]{12}_••••")
_NAME = "Quill Person"
# What is no place for a link: controls, what only helps to tell them apart, titles, notes, and code to copy.
_NO_PLACE = {"a", "button", "option", "label", "summary", "h1", "title", "q", "nav", "header", "footer", "pre"}
_VOID = {"input", "br", "img", "meta", "link", "use", "path", "rect", "hr"}


class _Unlinked(HTMLParser):
    """Collects what a page names outside links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        is_assistant = tag == "span" and "assistant" in classes and "quiet" not in classes
        if is_assistant and "data-catalogue" not in given and not self._is_no_place():
            self._open.append((tag, "assistant"))
        elif tag not in _VOID:
            self._open.append((tag, "visually-hidden" if "visually-hidden" in classes else ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._is_no_place():
            return
        if _TOKEN.search(data) or _NAME in data or any(mark == "assistant" for _, mark in self._open):
            self.found.append(data.strip())

    def _is_no_place(self) -> bool:
        return any(tag in _NO_PLACE or mark == "visually-hidden" for tag, mark in self._open)


@pytest.fixture
def quills(cast: Cast) -> World:
    """The workspace, in which the member is told apart from what they own."""
    owner = cast.people["owner"]
    world = populate(cast, cast.workspace, owner, cast.tokens["owner"], "Zed")
    Member.objects.filter(pk=owner.pk).update(name=_NAME)
    return world


# The page of an object does not link to itself, and a new connection's assistant has no calls yet.
_OWN = {"tokens/<int:key>/", "members/<int:key>/"}


def test_every_token_member_and_assistant_is_a_link(trusted: Browse, quills: World) -> None:
    visitor, unlinked, seen = trusted("owner"), {}, 0
    for route in sorted(set(console_routes()) - _OWN):
        answer = visitor.get(quills.address(route))
        if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
            continue
        reader = _Unlinked()
        reader.feed(answer.content.decode())
        seen += 1
        if reader.found:
            unlinked[route] = reader.found
    assert seen > 30
    assert not unlinked, "\n".join(f"{route}: {found}" for route, found in unlinked.items())
