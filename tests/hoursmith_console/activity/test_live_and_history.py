"""Following the activity live, the history of one record, and taking with you what a list shows."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.activity.exporting import COLUMNS
from mcpbridge.models import AuditEvent, AuditPhase, Result, ToolCall
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.exports import export
from tests.hoursmith_console.live_pages import page_of, poll_address
from tests.hoursmith_console.records import call_row, make_audit, make_call

Browse = Callable[[str], Client]
PROJECT = {"target_type": "project", "target_id": "5b0e6a3c-0d3f-4a57-9f0e-6b1f5f1f7a10", "target_label": "Apollo"}


def test_a_list_is_followed_only_where_that_is_asked_for(cast: Cast, browse: Browse) -> None:
    make_call(cast.tokens["owner"])
    page = page_of(browse("owner"), "/activity/?kind=read")
    assert "every 3s" not in page
    assert 'href="/activity/?kind=read&live=1"' in page
    assert 'role="status" id="tail-news"' in page


def test_the_tail_brings_what_is_newer_and_fits_the_filters(cast: Cast, browse: Browse) -> None:
    visitor, token = browse("owner"), cast.tokens["owner"]
    make_call(token, target_id="a", target_label="old")
    poll = poll_address(page_of(visitor, "/activity/?kind=read&live=1"))
    assert visitor.get(poll).status_code == 204
    make_call(token, target_id="b", target_label="new one")
    make_call(token, "update_task", target_id="c", target_label="a write")
    make_call(cast.tokens["outsider"], target_id="d", target_label="foreign")
    answer = page_of(visitor, poll)
    assert 'hx-swap-oob="afterbegin:#followed-rows"' in answer
    assert "1 new call" in answer
    assert "new one" in answer
    assert not any(word in answer for word in (">old<", "a write", "foreign"))
    # The answer goes on from there.
    assert visitor.get(poll_address(answer)).status_code == 204


def test_the_tail_is_paused_and_gone_on_with_without_losing_a_call(cast: Cast, browse: Browse) -> None:
    visitor, token = browse("owner"), cast.tokens["owner"]
    make_call(token)
    page = page_of(visitor, "/activity/?live=1")
    pause = re.search(r'hx-get="([^"]+pause=1)"', page)
    assert pause is not None
    paused = page_of(visitor, pause[1])
    assert "every 3s" not in paused
    make_call(token, target_id="m", target_label="meanwhile")
    resume = re.search(r'hx-get="([^"]+resume=1)"', paused)
    assert resume is not None
    assert "meanwhile" in page_of(visitor, resume[1])


def test_a_call_that_took_long_comes_in_behind_quicker_ones(cast: Cast, browse: Browse) -> None:
    visitor, token = browse("owner"), cast.tokens["owner"]
    make_call(token)
    poll = poll_address(page_of(visitor, "/activity/?live=1"))
    make_call(token, target_id="q", target_label="quick")
    poll = poll_address(page_of(visitor, poll))
    make_call(token, at=timezone.now() - timedelta(minutes=4), target_id="s", target_label="held for approval")
    assert "held for approval" in page_of(visitor, poll)


def test_a_tail_that_has_grown_long_stops(cast: Cast, browse: Browse) -> None:
    visitor, token = browse("owner"), cast.tokens["owner"]
    make_call(token)
    poll = poll_address(page_of(visitor, "/activity/?live=1")).replace("added=0", "added=499")
    make_call(token)
    answer = page_of(visitor, poll)
    assert "Stopped after 500 new calls" in answer
    assert "every 3s" not in answer


def test_the_first_call_of_all_loads_the_list_that_it_belongs_into(cast: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    poll = poll_address(page_of(visitor, "/activity/?live=1"))
    assert visitor.get(poll).status_code == 204
    make_call(cast.tokens["owner"])
    assert visitor.get(poll)["HX-Refresh"] == "true"


@pytest.mark.parametrize("address", ["/activity/tail/", "/audit/tail/", "/activity/export/"])
def test_strangers_are_sent_to_sign_in(browse: Browse, address: str) -> None:
    assert browse("anonymous").get(address).status_code == 302


def test_a_tail_whose_session_has_ended_loads_the_page_anew(browse: Browse) -> None:
    answer = browse("anonymous").get("/activity/tail/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"], answer.content) == (200, "true", b"")


def test_everything_that_touched_a_record_is_one_list_and_its_audit_rows_another(cast: Cast, browse: Browse) -> None:
    owner, admin = cast.tokens["owner"], cast.tokens["admin"]
    for token, tool in ((owner, "get_project"), (admin, "update_project"), (owner, "get_task")):
        make_call(token, tool, **(PROJECT if tool != "get_task" else {**PROJECT, "target_type": "task"}))
    make_audit(owner, "archive_project", **PROJECT)
    make_audit(owner, "archive_project", target_label="Gemini")
    visitor = browse("owner")
    link = re.search(r'href="(/activity/\?target=project:[^"]+)"', page_of(visitor, "/activity/"))
    assert link is not None
    history = page_of(visitor, link[1])
    assert 'History of <strong class="name">project Apollo' in history
    assert len(re.findall(r'href="/activity/\d+/"', history)) == 2
    other_half = re.search(r'href="(/audit/\?target=project[^"]+)"', history)
    assert other_half is not None
    record = page_of(visitor, other_half[1])
    assert "Archived project" in record
    assert "Gemini" not in record


def test_an_export_holds_exactly_what_the_list_shows_on_all_its_pages(cast: Cast, browse: Browse) -> None:
    start = timezone.now().replace(microsecond=0)
    rows = [
        call_row(
            cast.tokens["owner" if number % 2 else "outsider"],
            "get_me" if number % 3 else "update_task",
            start - timedelta(seconds=number // 9),
            result=Result.REFUSED if number % 5 == 0 else Result.SUCCEEDED,
        )
        for number in range(1300)
    ]
    ToolCall.objects.bulk_create(rows)
    lines = export(cast, "owner", "/activity/export/?tool=get_me", "jsonl")[1].splitlines()
    shown = ToolCall.objects.filter(org_id=cast.org_id, tool="get_me").order_by("-at", "-pk")
    assert [json.loads(line)["call_id"] for line in lines] == [
        str(pk) for pk in shown.values_list("call_id", flat=True)
    ]
    assert len(lines) > 400
    event = AuditEvent.objects.get(org_id=cast.org_id, phase=AuditPhase.EVENT, tool="console.export")
    assert (event.target_type, event.arguments) == ("activity", {"format": "jsonl", "tool": "get_me"})
    assert "exported the activity log" in page_of(browse("owner"), f"/audit/{event.call_id}/")


def test_a_csv_export_is_no_trap_for_a_spreadsheet(cast: Cast, browse: Browse) -> None:
    make_call(cast.tokens["owner"], target_id="x", target_label="=2+2", client_name="Line\nbreak", arguments={"a": [1]})
    table = list(csv.DictReader(io.StringIO(export(cast, "owner", "/activity/export/", "csv")[1].decode())))
    assert tuple(table[0]) == COLUMNS
    assert (table[0]["target_label"], table[0]["client_name"], table[0]["arguments"]) == (
        "'=2+2",
        "Line\nbreak",
        '{"a": [1]}',
    )


def test_an_export_asks_who_is_there_and_is_not_for_everybody(cast: Cast, browse: Browse) -> None:
    for person in ("manager", "member"):
        assert browse(person).get("/activity/export/").status_code == 403
    asked = browse("owner").post("/activity/export/", {"format": "csv"})
    assert asked.status_code == 302
    assert "reauthenticate" in asked["Location"]
    assert not AuditEvent.objects.filter(tool="console.export").exists()
    status, page = export(cast, "owner", "/activity/export/?kind=read", "pdf")
    assert status == 400
    assert b"Only calls that match" in page
    assert b"All calls in Acme Studio" in export(cast, "owner", "/activity/export/", "pdf")[1]
