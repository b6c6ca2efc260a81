"""The audit area: one line a destructive call, one page that tells it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mcpbridge.models import Result
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call

Browse = Callable[[str], Client]


def _text(html: str) -> str:
    """What a reader sees, in one line."""
    without_raw = re.sub(r"<details class=\"raw\">.*?</details>", "", html, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", without_raw).replace("&#x27;", "'").replace("&quot;", '"')
    return re.sub(r"\s+", " ", text).replace(" .", ".").replace(" ,", ",")


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return _text(answer.content.decode())


def test_the_page_reads_as_a_sentence(cast: Cast, browse: Browse) -> None:
    at = timezone.now().replace(year=2026, month=3, day=9, hour=10, minute=42, second=7)
    intent = make_audit(cast.tokens["manager"], at=at)
    page = _page(browse("owner"), f"/audit/{intent.call_id}/")
    assert (
        f"Claude Desktop, with manager's laptop (MANAGER, hsk_live_{intent.prefix}_••••), "
        "deleted client Globex on Mon 9 Mar 2026 at 10:42:07 UTC – succeeded, 204."
    ) in page


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (
            {"result": Result.REFUSED, "status": 409, "code": "conflict"},
            ["tried to delete client Globex", "refused, 409 conflict", "Nothing was changed."],
        ),
        (
            {"result": Result.FAILED, "status": 504, "code": "upstream_timeout"},
            ["tried to delete client Globex", "failed, 504 upstream_timeout", "It may have succeeded"],
        ),
        (
            {"result": Result.FAILED, "status": 502, "code": "upstream_dropped"},
            ["failed, 502 upstream_dropped", "It may have succeeded"],
        ),
        (
            {"result": Result.FAILED, "status": 502, "code": "upstream_unreachable"},
            ["failed, 502 upstream_unreachable", "Nothing was changed."],
        ),
        (
            {"result": Result.UNKNOWN, "status": 0, "code": ""},
            ["tried to delete client Globex", "outcome unknown", "It may have succeeded"],
        ),
    ],
)
def test_the_sentence_tells_every_ending(
    cast: Cast, browse: Browse, ending: dict[str, object], words: list[str]
) -> None:
    intent = make_audit(cast.tokens["manager"], **ending)
    page = _page(browse("owner"), f"/audit/{intent.call_id}/")
    for word in words:
        assert word in page


@pytest.mark.parametrize(("age", "words"), [(5, "In progress"), (120, "Outcome unknown")])
def test_an_intent_without_outcome_is_under_way_and_then_unknown(
    cast: Cast, browse: Browse, age: int, words: str
) -> None:
    intent = make_audit(cast.tokens["manager"], at=timezone.now() - timedelta(seconds=age), result=None)
    visitor = browse("owner")
    assert words in _page(visitor, "/audit/")
    assert words in _page(visitor, f"/audit/{intent.call_id}/")


def test_a_call_is_one_line_however_many_rows_it_has(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"])
    assert browse("owner").get("/audit/").content.decode().count(f'href="/audit/{intent.call_id}/"') == 1


def test_the_record_as_it_was_is_shown_as_labelled_fields(cast: Cast, browse: Browse) -> None:
    snapshot = {"name": "Globex", "billingLine1": "1 Volcano Road", "requirePoNumber": True, "taxNumber": None}
    intent = make_audit(cast.tokens["manager"], snapshot=snapshot)
    page = _page(browse("owner"), f"/audit/{intent.call_id}/")
    assert "Billing line 1 1 Volcano Road" in page.replace("Billing line 11", "Billing line 1 1")
    assert "Require po number" in page
    assert "Empty: Tax number" in page


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("not_found", "No snapshot: The record does not exist"),
        ("switched_off", "No snapshot: snapshots are off"),
        ("something_new", "the record could not be read."),
    ],
)
def test_a_missing_snapshot_says_why(cast: Cast, browse: Browse, fault: str, words: str) -> None:
    intent = make_audit(cast.tokens["manager"], snapshot_fault=fault)
    assert words in _page(browse("owner"), f"/audit/{intent.call_id}/")


def test_what_an_assistant_wrote_cannot_become_markup(cast: Cast, browse: Browse) -> None:
    bad = "<script>alert(1)</script>"
    intent = make_audit(
        cast.tokens["manager"], target_label=bad, client_name=bad, arguments={bad: bad}, snapshot={bad: [bad]}
    )
    visitor = browse("owner")
    for address in ("/", "/audit/", f"/audit/{intent.call_id}/"):
        assert bad not in visitor.get(address).content.decode()


def test_the_page_leads_to_the_activity_and_back(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"])
    call = make_call(cast.tokens["manager"], "delete_client", call_id=intent.call_id)
    visitor = browse("owner")
    assert f"/activity/{call.pk}/" in visitor.get(f"/audit/{intent.call_id}/").content.decode()
    assert f"/audit/{intent.call_id}/" in visitor.get(f"/activity/{call.pk}/").content.decode()


def test_an_outcome_has_no_page_of_its_own(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"])
    assert browse("owner").get(f"/audit/{intent.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("succeeded", {"won"}),
        ("refused", {"refused"}),
        ("failed", {"failed"}),
        ("unknown", {"lost", "odd"}),
        ("under_way", {"fresh"}),
        ("nonsense", {"won", "refused", "failed", "lost", "odd", "fresh"}),
    ],
)
def test_calls_are_filtered_by_how_they_stand(cast: Cast, browse: Browse, state: str, expected: set[str]) -> None:
    token, old = cast.tokens["manager"], timezone.now() - timedelta(hours=1)
    make_audit(token, at=old, target_label="target-won")
    make_audit(token, at=old, target_label="target-refused", result=Result.REFUSED, status=409, code="conflict")
    make_audit(token, at=old, target_label="target-failed", result=Result.FAILED, status=500, code="internal")
    make_audit(token, at=old, target_label="target-lost", result=None)
    make_audit(token, at=old, target_label="target-odd", result=Result.UNKNOWN, status=0)
    make_audit(token, target_label="target-fresh", result=None)
    page = browse("owner").get(f"/audit/?outcome={state}").content.decode()
    assert set(re.findall(r"target-(\w+)", page)) == expected
