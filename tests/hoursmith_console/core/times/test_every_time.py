"""Every time on every page is written by the tags of `core.times.rendering`: local to the reader, with UTC as title."""

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape

import pytest

from hoursmith_console.core.times.zones import find_zone
from hoursmith_console.workspaces.models import Member
from tests.page_urls import account_routes, console_routes, filled
from tests.paths import ROOT
from tests.security.conftest import Browse, World, browse, cast, nothing_listens, populate, trusted

__all__ = ["browse", "cast", "nothing_listens", "trusted"]
pytestmark = pytest.mark.django_db(databases="__all__")
ZONE = "Asia/Kathmandu"
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_TIME = re.compile(r"<time [^>]*>.*?</time>", re.DOTALL)
# What is code or hashed is quoted as it is, in UTC; so is what a chart counts by UTC days and says so.
_QUOTED = re.compile(r"<(head|pre|code|script|svg)\b.*?</\1>|<div class=\"chart.*?</details>", re.DOTALL)
# "MCP 2026-07-28" is a version of the protocol.
_LOOKS_LIKE_A_TIME = re.compile(
    rf"\b\d{{1,2}}:\d\d\b|(?<!MCP )\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}} (?:{_MONTHS})[a-z]*\b"
    r"|(?<!more than )\b\d+ (?:s|min|h|days?) ago\b"
)


@pytest.fixture
def pages(cast: object, trusted: Browse, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Each page that an Owner in Kathmandu can open, of a workspace with one record of every kind."""
    made = request.getfixturevalue("cast")
    world: World = populate(made, made.workspace, made.people["owner"], made.tokens["owner"], "Somebody")
    Member.objects.filter(pk=made.people["owner"].pk).update(time_zone=ZONE)
    visitor = trusted("owner")

    def opened() -> Iterator[tuple[str, str]]:
        for route in [*console_routes(), *account_routes()]:
            address = world.address(route) if route in console_routes() else filled(route)
            answer = visitor.get(address)
            if answer.status_code == 200 and "html" in answer.get("Content-Type", ""):
                yield address, answer.content.decode()

    return opened()


def test_no_time_is_written_in_another_way(pages: Iterator[tuple[str, str]]) -> None:
    walked, shown, others = 0, 0, {}
    for address, page in pages:
        body = _QUOTED.sub("", page)
        walked += 1
        for written in _TIME.findall(body):
            machine = re.search(r'datetime="([^"]+)"', written)
            assert machine is not None
            clock = re.search(r"\b\d\d:\d\d\b", re.sub(r"<time [^>]*>", "", written))
            if clock:
                shown += 1
                assert clock[0] == f"{datetime.fromisoformat(machine[1]).astimezone(find_zone(ZONE)):%H:%M}", written
                assert "UTC" in written, written
        text = unescape(re.sub(r"<[^>]+>", " ", _TIME.sub("", body)))
        if found := _LOOKS_LIKE_A_TIME.findall(text):
            others[address] = found
    assert not others
    # Else the walk would have found nothing to look at.
    assert walked > 40
    assert shown > 40


def test_no_template_formats_a_time_itself() -> None:
    # `|utc` says that it is meant: days of a chart, and a date within a command.
    own = re.compile(r"(?<!\|utc)\|(?:date|time|timesince|timeuntil|naturaltime)\b|{% now ")
    found = {
        str(path.relative_to(ROOT)): own.findall(path.read_text(encoding="utf-8"))
        for path in (ROOT / "templates").rglob("*.html")
    }
    assert not {name: each for name, each in found.items() if each}
