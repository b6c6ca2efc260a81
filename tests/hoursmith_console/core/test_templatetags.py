"""Small parts that long lists repeat: written quickly, and as safely as everything else."""

from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import reverse
from django.utils.safestring import SafeString

from hoursmith_console.core.templatetags.console import full_stop, options, page, part

_HOSTILE = '"><script>alert(1)</script>'


def test_a_remembered_part_is_not_given_to_text_that_is_only_equal() -> None:
    trusted = part("console/_assistant.html", name=SafeString(_HOSTILE))
    assert "<script>" in trusted
    assert "<script>" not in part("console/_assistant.html", name=_HOSTILE)
    assert part("console/_assistant.html", name="Cursor") is part("console/_assistant.html", name="Cursor")
    assert "Zed" in part("console/_assistant.html", name="Zed")


def test_options_are_escaped_and_the_chosen_one_is_marked() -> None:
    made = options(
        [
            {"value": _HOSTILE, "label": _HOSTILE, "is_chosen": False},
            {"value": "a", "label": "A & B", "is_chosen": True},
        ]
    )
    assert "<script>" not in made
    assert made.count("<option") == 2
    assert '<option value="a" selected>A &amp; B</option>' in made


def test_a_rows_address_is_the_one_that_django_would_give() -> None:
    assert page("tokens", 7) == reverse("console:tokens:detail", args=[7])
    assert page("activity", 7) == reverse("console:activity:detail", args=[7])
    call = "4f8a2c1b-0000-4000-8000-000000000001"
    assert page("audit", call) == reverse("console:audit:detail", args=[call])


def test_a_message_is_shown_as_it_was_written() -> None:
    page = {"messages": ["hsk_live_4f8a2c1bdedf_•••• is blocked."], "request": RequestFactory().get("/")}
    shown = render_to_string("console/base.html", page)
    assert ">hsk_live_4f8a2c1bdedf_•••• is blocked.<" in shown


def test_a_sentence_ends_once() -> None:
    given = ("the limit is reached", "Acme Inc.", "Really?", "and so on…", " spaced ")
    assert [full_stop(text) for text in given] == [
        "the limit is reached.",
        "Acme Inc.",
        "Really?",
        "and so on…",
        " spaced.",
    ]
