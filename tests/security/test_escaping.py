"""No name that somebody chose becomes markup, a header, a formula or a line of its own: on every page there is."""

import csv
import io
import logging
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from mcpbridge.observability.logs import JsonFormatter, LineFormatter
from mcpbridge.protocol.client_info import client_from_info
from tests.page_urls import console_routes, filled
from tests.security.conftest import HARM, Browse, World, content_of

pytestmark = pytest.mark.django_db(databases="__all__")
SAFE_LINKS = ("/", "#", "?", "https://", "http://", "mailto:", "cursor:", "vscode:", "lmstudio:")


class Markup(HTMLParser):
    """Remembers what of a page is markup."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            self.texts.append(value or "")
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
                self.links.add((value or "").strip())

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(text: str) -> Markup:
    page = Markup()
    page.feed(text)
    page.close()
    return page


def test_every_page_shows_names_as_they_are_and_takes_none_for_markup(hostile: World, trusted: Browse) -> None:
    shown, pages = set(), 0
    for person in ("owner", "member"):
        visitor = trusted(person)
        for route in console_routes():
            answer = visitor.get(hostile.address(route))
            if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
                continue
            pages += 1
            page = read(answer.content.decode())
            where = f"{route} for {person}"
            assert "zqtag" not in page.tags, where
            assert not {name for name in page.attributes if name.startswith(("zq", "on"))}, where
            assert not [link for link in page.links if link and not link.startswith(SAFE_LINKS)], where
            assert "ZQ7\"'>--></title></script><zqtag zqattr=1>49" not in answer.content.decode(), where
            if any(HARM[:20] in text for text in page.texts):
                shown.add(route.partition("/")[0])
    assert pages > 30
    # It was there to be taken for something.
    assert shown >= {"", "activity", "audit", "connections", "members", "rotations", "tokens"}


# Alone: what each page says of a search; then what is beside it, in which a page may refuse what is no instant.
ASKED = ["q", "client tool owner", "since before range", "sort t next"]


@pytest.mark.parametrize("names", ASKED)
def test_what_stands_in_the_address_is_no_markup_either(hostile: World, trusted: Browse, names: str) -> None:
    visitor = trusted("owner")
    for route in (route for route in console_routes() if "<" not in route):
        answer = visitor.get(filled(route), dict.fromkeys(names.split(), HARM))
        assert answer.status_code < 500, route
        if answer.status_code == 200:
            assert "zqtag" not in read(answer.content.decode()).tags, route


def test_what_was_typed_into_a_form_comes_back_as_text(hostile: World, trusted: Browse) -> None:
    visitor = trusted("owner")
    names = ("name", "address", "label", "title", "reason", "found_in", "note", "email", "prefix", "token", "due_on")
    for route in console_routes():
        answer = visitor.post(hostile.address(route), dict.fromkeys(names, HARM))
        assert answer.status_code < 500, route
        if answer.status_code in (200, 400, 409) and answer["Content-Type"].startswith("text/html"):
            assert "zqtag" not in read(answer.content.decode()).tags, route


def test_a_name_makes_no_header(hostile: World, trusted: Browse) -> None:
    for name in ("audit\r\nSet-Cookie: zq=1", 'x"; filename="evil.html'):
        hostile.cast.workspace.name = name
        hostile.cast.workspace.save(update_fields=["name"])
        for chosen in ("jsonl", "csv", "ocsf", "cef"):
            answer = trusted("owner").post("/audit/export/", {"format": chosen})
            assert answer.status_code == 200
            said = answer["Content-Disposition"]
            assert re.fullmatch(r'attachment; filename="audit-\d{8}T\d{6}Z\.[\w.]+"', said), said
            assert "zq" not in answer.cookies


def test_no_cell_of_an_export_is_a_formula(hostile: World, trusted: Browse) -> None:
    answer = trusted("owner").post("/audit/export/", {"format": "csv"})
    text = content_of(answer).decode()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any("ZQ7" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]


BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2J", "\x00", "\u202e"]


@pytest.mark.parametrize("mark", BREAKS)
def test_a_name_makes_no_line_in_the_log(mark: str) -> None:
    client = client_from_info({"name": f"Cursor{mark}2026-01-01 INFO mcpbridge: all is well", "version": mark})
    said = [f"{client.name}", f"raw {mark}2026-01-01 CRITICAL forged", {"key": f"x{mark}forged"}]
    for formatter in (LineFormatter(), JsonFormatter()):
        for value in said:
            record = logging.LogRecord("mcpbridge", logging.INFO, __file__, 1, "called by %s", (value,), None)
            assert len(formatter.format(record).splitlines()) == 1
            assert not set(mark) & set(formatter.format(record)) - set("[2J\x20")


def test_a_traceback_keeps_its_lines_and_none_of_them_begins_like_ours() -> None:
    try:
        raise ValueError("x\n2026-01-01 00:00:00,000 CRITICAL mcpbridge: forged")
    except ValueError as error:
        record = logging.LogRecord(
            "mcpbridge", logging.ERROR, __file__, 1, "failed", (), (type(error), error, error.__traceback__)
        )
    lines = LineFormatter().format(record).splitlines()
    assert len(lines) > 3
    assert all(line.startswith(" ") for line in lines[1:])


def test_errors_escape_what_they_repeat(client: Client, db: Any) -> None:
    for path in ("/<zqtag>/", "/accounts/invitation/<zqtag>/x/", "/tokens/?q=<zqtag>", "/accounts/login/?next=<zqtag>"):
        answer = client.get(path, follow=True)
        assert "zqtag" not in read(answer.content.decode()).tags, path
