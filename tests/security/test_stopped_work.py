"""What stops somebody's work is said wherever the token or the person is shown: every page is walked for it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.test import Client

from hoursmith_console.workspaces.access import revoke_access
from hoursmith_console.workspaces.models import Member
from mcpbridge.auth.restrictions.blocks import block_token
from tests.hoursmith_console.conftest import Cast, account_of
from tests.page_urls import console_routes
from tests.reauthentication import trusted_client
from tests.security.conftest import World, populate

# Lower-case and with an underscore, as identifiers are; nothing may write it otherwise.
MARK, NAME = "zq_mark", "Zoe Zimmermann"
# What a reader takes in at once: there, and not only somewhere on the page.
_BLOCKS = ("tr", "li", "dd")
_VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}


class _Page(HTMLParser):
    """The texts of a page, each with all that its row, item, paragraph or field says."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, list[str]]] = []
        self.texts: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append((tag, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Shapes of a picture, which hold no text."""

    def handle_endtag(self, tag: str) -> None:
        while tag not in _VOID and self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._open or any(tag in ("title", "option", "script", "header", "footer") for tag, _ in self._open):
            return
        for _, said in self._open:
            said.append(data)
        around = next((said for tag, said in reversed(self._open) if tag in _BLOCKS), self._open[0][1])
        self.texts.append((data, around))


def _pages(visitor: Client, world: World) -> Iterator[tuple[str, str]]:
    for route in console_routes():
        answer = visitor.get(world.address(route))
        if answer.status_code == 200 and "html" in answer.headers["Content-Type"] and not answer.streaming:
            yield route, answer.content.decode()


def _silent(page: str, shown: str, said: str) -> list[str]:
    """What a page says around `shown` where it does not say `said`."""
    parser = _Page()
    parser.feed(page)
    return [
        re.sub(r"\s+", " ", "".join(around))
        for text, around in parser.texts
        if shown in text and said not in "".join(around)
    ]


@pytest.fixture
def world(cast: Cast) -> World:
    """One record of every kind, all of the manager's, whose token is blocked."""
    person, token = cast.people["manager"], cast.tokens["manager"]
    made = populate(cast, cast.workspace, person, token, MARK)
    block_token(env=token.env, prefix=token.prefix, org_id=token.org_id, actor="Bob <bob@example.com>", reason="odd")
    return made


def test_a_block_is_said_wherever_the_token_is_shown(cast: Cast, world: World) -> None:
    masked, silent, shown = cast.tokens["manager"].masked_token, {}, 0
    for person in ("owner", "manager"):
        for route, page in _pages(trusted_client(account_of(cast.people[person])), world):
            shown += masked in page
            if found := _silent(page, masked, "locked"):
                silent[f"{person} {route}"] = found
            # Nothing capitalises an identifier at the start of a message, title or label.
            assert MARK.capitalize() not in page, route
            assert "Hsk_" not in page, route
    assert shown > 20
    assert not silent, "\n".join(f"{route}: {around[:200]}" for route, found in silent.items() for around in found)


def test_a_removed_access_is_said_wherever_the_person_is_shown(cast: Cast, world: World) -> None:
    person = Member.objects.get(pk=cast.people["manager"].pk)
    revoke_access(member=person, actor="Bob <bob@example.com>")
    # What was recorded keeps the name of its time; what shows the member now has this one.
    Member.objects.filter(pk=person.pk).update(name=NAME)
    silent, shown = {}, 0
    for route, page in _pages(trusted_client(account_of(cast.people["owner"])), world):
        shown += NAME in page
        if found := _silent(page, NAME, "access removed"):
            silent[route] = found
    assert shown > 8
    assert not silent, "\n".join(f"{route}: {around[:200]}" for route, found in silent.items() for around in found)
