"""Each page has two sentences of help behind a “?”, and a link into the help that leads somewhere."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import resolve
from django.utils.html import escape

from hoursmith_console.help.library import library
from hoursmith_console.help.page_help import PageHelp
from hoursmith_console.help.page_texts import PAGE_TEXTS
from tests.page_urls import console_routes
from tests.security.conftest import World, hostile, nothing_listens  # noqa: F401 – fixtures

Browse = Callable[[str], Client]
_SENTENCE = re.compile(r"[A-Z“][^.]*?\.(?: |$)")


def test_every_page_explains_itself(trusted: Browse, hostile: World) -> None:  # noqa: F811 – the fixture
    visitor, without, seen = trusted("owner"), [], set()
    for route in console_routes():
        address = hostile.address(route)
        answer = visitor.get(address)
        if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
            continue
        page, name = answer.content.decode(), resolve(address).view_name.removeprefix("console:")
        if "<h1" not in page:
            continue
        seen.add(name)
        text = PAGE_TEXTS.get(name)
        if text is None or page.count("About this page") < 1 or escape(text.text) not in page:
            without.append(name)
    assert not without, f"Add the help of {without} to `help/page_texts.py`."
    assert {"index", "tokens:detail", "audit:detail", "rotations:detail", "settings:list", "help:page"} <= seen


@pytest.mark.parametrize("name", PAGE_TEXTS)
def test_the_help_of_a_page_is_two_sentences_and_leads_to_the_help(name: str) -> None:
    text: PageHelp = PAGE_TEXTS[name]
    assert len(_SENTENCE.findall(text.text)) == 2, text.text
    slug, _, anchor = text.more.partition("#")
    page = library().pages[slug]
    assert not anchor or anchor in {section.anchor for section in page.rendered.sections}


def test_a_page_that_answers_a_form_has_the_help_of_its_section(trusted: Browse) -> None:
    answer = trusted("owner").post("/members/invite/", {"email": "nonsense", "role": "MEMBER"})
    assert answer.status_code == 400
    assert escape(PAGE_TEXTS["members:invite"].text) in answer.content.decode()
