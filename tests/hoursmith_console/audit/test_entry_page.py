"""What can be done from the page of an entry, and where it leads; what a row of the list holds; tabs."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.core.times.zones import COOKIE
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import record_event
from mcpbridge.models import AuditEvent, AuditPhase, Result
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call, make_client
from tests.hoursmith_console.sign_in.people import told

Browse = Callable[[str], Client]
NIGHT = datetime(2026, 3, 9, 2, 12, 7, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


def _get(client: Client, address: str, **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, address
    return unescape(answer.content.decode())


def _links(page: str) -> dict[str, str]:
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', page, re.DOTALL)
    return {" ".join(re.sub(r"<[^>]+>", "", text).split()): address for address, text in found}


def _event(cast: Cast, label: str) -> None:
    record_event(
        org_id=cast.org_id, org_name="Acme", action="console.token_block", actor="Ben", target_label=label, details={}
    )


def test_the_assistant_the_token_and_the_owner_are_links(cast: Cast, browse: Browse) -> None:
    token, visitor = cast.tokens["manager"], browse("owner")
    intent = make_audit(token)
    call = make_call(token, "delete_client", call_id=intent.call_id)
    for address in (f"/audit/{intent.call_id}/", f"/activity/{call.pk}/"):
        links = _links(_get(visitor, address))
        assert links["Claude Desktop"] == "/activity/?assistant=Claude%20Desktop"
        assert links["manager's laptop"] == f"/tokens/{token.pk}/"
        assert links["Manager Person"] == f"/members/{cast.people['manager'].pk}/"
        for name in ("Claude Desktop", "manager's laptop", "Manager Person"):
            assert visitor.get(links[name]).status_code == 200, name


@pytest.mark.parametrize("area", ["audit", "activity"])
def test_what_else_the_token_did_that_night_is_one_click_away(cast: Cast, browse: Browse, area: str) -> None:
    token, visitor = cast.tokens["manager"], browse("owner")
    visitor.cookies[COOKIE] = "Europe/Berlin"
    make = make_audit if area == "audit" else make_call
    make_client(token)
    inside = [
        make(token, "delete_client", at=at, target_label="of-that-night") for at in (NIGHT, NIGHT.replace(hour=6))
    ]
    make(token, "delete_client", at=NIGHT.replace(hour=7), target_label="of-the-day")
    make(token, "delete_client", at=NIGHT - timedelta(days=1), target_label="of-another-night")
    make(cast.tokens["owner"], "delete_client", at=NIGHT, target_label="of-another-token", client_name="Cursor")
    key = inside[0].call_id if area == "audit" else inside[0].pk
    links = _links(_get(visitor, f"/{area}/{key}/"))
    night = _get(visitor, links["Same token, that night"])
    assert set(re.findall(r"of-[a-z-]+", night)) == {"of-that-night"}
    token_rows = _get(visitor, links["Same token"])
    assert set(re.findall(r"of-[a-z-]+", token_rows)) == {"of-that-night", "of-the-day", "of-another-night"}
    assistant_rows = _get(visitor, links["Same assistant"])
    assert "of-another-token" not in assistant_rows
    assert "of-the-day" in assistant_rows


def test_a_call_during_the_day_leads_to_that_day(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"], at=NIGHT.replace(hour=12))
    links = _links(_get(browse("owner"), f"/audit/{intent.call_id}/"))
    assert "since=2026-03-09T00%3A00Z&until=2026-03-09T23%3A59Z" in links["Same token, that day"]


@pytest.mark.parametrize("person", ["owner", "manager"])
def test_entries_lead_to_the_ones_before_and_after_of_the_same_type(cast: Cast, browse: Browse, person: str) -> None:
    token, visitor = cast.tokens["manager"], browse(person)
    made = [make_audit(token, at=NIGHT + timedelta(minutes=number // 2)) for number in range(4)]
    make_audit(cast.tokens["admin"], at=NIGHT + timedelta(hours=1))
    _event(cast, "in between")
    walked, address = [], f"/audit/{max(made, key=lambda row: (row.recorded_at, row.pk)).call_id}/"
    for _ in made:
        links = _links(_get(visitor, address))
        walked.append(address)
        if "← Earlier" not in links:
            break
        assert _links(_get(visitor, links["← Earlier"]))["Later →"] == address
        address = links["← Earlier"]
    assert len(set(walked)) == 4
    newest = _links(_get(visitor, walked[0]))
    # The other token's entry is later; who does not see it is not led there.
    assert ("Later →" in newest) is (person == "owner")


def test_calls_lead_to_the_ones_before_and_after(cast: Cast, browse: Browse) -> None:
    token, visitor = cast.tokens["manager"], browse("manager")
    first, second = make_call(token, at=NIGHT), make_call(token, at=NIGHT)
    make_call(cast.tokens["owner"], at=NIGHT)
    assert _links(_get(visitor, f"/activity/{first.pk}/"))["Later →"] == f"/activity/{second.pk}/"
    assert _links(_get(visitor, f"/activity/{second.pk}/"))["← Earlier"] == f"/activity/{first.pk}/"
    assert "Later →" not in _links(_get(visitor, f"/activity/{second.pk}/"))


# Actions

BLOCK, ROTATE, REVOKE, REQUEST = "Block token", "Rotate token", "Revoke token", "Request rotation"
EVIDENCE, RESTORE = "Download evidence", "Restore client"


def _actions(page: str) -> set[str]:
    return {name for name in (BLOCK, ROTATE, REVOKE, REQUEST, EVIDENCE, RESTORE) if f">{name}<" in page}


@pytest.mark.parametrize(
    ("person", "offered"),
    [
        ("admin", {BLOCK, ROTATE, REVOKE, REQUEST, EVIDENCE, RESTORE}),
        ("manager", {BLOCK, ROTATE, REVOKE, RESTORE}),
        ("auditor", {EVIDENCE}),
    ],
)
def test_the_reader_is_offered_what_they_may_do(cast: Cast, browse: Browse, person: str, offered: set[str]) -> None:
    intent = make_audit(cast.tokens["manager"])
    call = make_call(cast.tokens["manager"], "delete_client", call_id=intent.call_id)
    if person == "auditor":
        Member.objects.filter(pk=cast.people["member"].pk).update(is_auditor=True)
    visitor = browse("member" if person == "auditor" else person)
    assert _actions(_get(visitor, f"/audit/{intent.call_id}/")) == offered
    assert _actions(_get(visitor, f"/activity/{call.pk}/")) == offered - {RESTORE}


def test_a_token_is_blocked_from_the_entry_which_then_says_so(cast: Cast, trusted: Browse) -> None:
    intent, visitor = make_audit(cast.tokens["manager"]), trusted("admin")
    here = f"/audit/{intent.call_id}/"
    form = _links(_get(visitor, here))[BLOCK]
    assert f'action="{form}"' in _get(visitor, form).replace("&amp;", "&")
    answer = visitor.post(form, {"reason": "Deleted a client"})
    assert (answer.status_code, answer["Location"]) == (302, here)
    page = _get(visitor, here)
    assert "Deleted a client" in page
    assert BLOCK not in _actions(page)


def test_rotation_is_requested_from_the_entry_which_then_says_so(cast: Cast, trusted: Browse) -> None:
    intent, visitor = make_audit(cast.tokens["manager"]), trusted("admin")
    here = f"/audit/{intent.call_id}/"
    form = _links(_get(visitor, here))[REQUEST]
    due = (timezone.now() + timedelta(days=9)).date().isoformat()
    answer = visitor.post(form, {"kind": "planned", "reason": "Deleted a client", "due_on": due})
    assert (answer.status_code, answer["Location"]) == (302, here)
    page = _get(visitor, here)
    assert "Rotation in progress." in page
    assert not {REQUEST, ROTATE} & _actions(page)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "audit/"]
)
def test_a_form_never_leads_elsewhere(cast: Cast, trusted: Browse, target: str) -> None:
    token = cast.tokens["manager"]
    answer = trusted("admin").post(
        f"/tokens/block/?{urlencode({'token': f'live_{token.prefix}', 'next': target})}", {"reason": "because"}
    )
    assert (answer.status_code, answer["Location"]) == (302, f"/tokens/{token.pk}/")


# Contents in the list


def test_a_row_holds_what_was_sent_and_lost_and_looking_is_recorded(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"], arguments={"note": "was sent"}, snapshot={"notes": "was lost"})
    visitor = browse("owner")
    page = _get(visitor, "/audit/")
    assert "was sent" not in page
    assert f'hx-get="/audit/{intent.call_id}/contents/"' in page
    assert told() == []
    shown = _get(visitor, f"/audit/{intent.call_id}/contents/", **HTMX)
    assert "was sent" in shown
    assert "was lost" in shown
    assert "<html" not in shown
    assert told() == ["record_open"]
    # Without script, the fold leads to the page.
    assert f'<a class="in-text without-script" href="/audit/{intent.call_id}/contents/">Open entry</a>' in page
    assert visitor.get(f"/audit/{intent.call_id}/contents/")["Location"] == f"/audit/{intent.call_id}/"


def test_a_call_of_the_activity_holds_what_was_sent(cast: Cast, browse: Browse) -> None:
    call = make_call(cast.tokens["manager"], "create_client", arguments={"note": "was sent"})
    assert f'hx-get="/activity/{call.pk}/contents/"' in _get(browse("owner"), "/activity/")
    assert "was sent" in _get(browse("owner"), f"/activity/{call.pk}/contents/", **HTMX)
    assert told() == ["record_open"]


def test_an_administrative_entry_holds_its_parameters(cast: Cast, browse: Browse) -> None:
    record_event(org_id=cast.org_id, org_name="Acme", action="console.export", actor="Ben", details={"format": "cef"})
    event = AuditEvent.objects.get(phase=AuditPhase.EVENT)
    assert "cef" in _get(browse("owner"), f"/audit/{event.call_id}/contents/", **HTMX)
    assert told() == ["export"]


def test_contents_are_for_reviewers_and_only_of_what_one_sees(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["manager"]
    intent = make_audit(token, arguments={"note": "was sent"})
    call = make_call(token, arguments={"note": "was sent"})
    for address in (f"/audit/{intent.call_id}/contents/", f"/activity/{call.pk}/contents/"):
        assert browse("outsider").get(address, headers=HTMX).status_code == 404
        assert browse("member").get(address, headers=HTMX).status_code == 404
        shown = _get(browse("manager"), address, **HTMX)
        assert "was sent" not in shown
        assert "Owners, Admins and Auditors" in shown
    assert "row-contents" not in _get(browse("manager"), "/audit/") + _get(browse("manager"), "/activity/")
    assert told() == []


# Tabs


def _tabs(page: str) -> dict[str, tuple[str, bool]]:
    nav = re.search(r'aria-label="Type">(.*?)</nav>', page, re.DOTALL)
    links = re.findall(r'<a href="([^"]*)"( aria-current="page")?>([^<]*)</a>', nav[1]) if nav else []
    return {label: (address, bool(here)) for address, here, label in links}


def test_the_audit_log_has_tabs_for_deletions_and_administration(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"], target_label="row-deletion")
    _event(cast, "row-event")
    visitor, found = browse("owner"), {}
    for label, (address, _) in _tabs(_get(visitor, "/audit/?tool=&outcome=")).items():
        page = _get(visitor, f"/audit/{address}")
        assert [name for name, (_, here) in _tabs(page).items() if here] == [label]
        # The tab says it; a chip would say it again.
        assert "filter-chip is-on" not in page
        found[label] = set(re.findall(r"row-(deletion|event)", page))
    assert found == {"Deletions": {"deletion"}, "Administration": {"event"}, "All": {"deletion", "event"}}
    # Who sees only their own tokens sees no administration.
    assert _tabs(_get(browse("manager"), "/audit/")) == {}


def test_the_activity_has_tabs_for_refused_and_destructive_calls(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["manager"]
    make_call(token, target_label="row-read")
    make_call(token, "update_task", target_label="row-refused", result=Result.REFUSED)
    make_call(token, "delete_client", target_label="row-destructive")
    visitor, found = browse("manager"), {}
    for label, (address, _) in _tabs(_get(visitor, "/activity/")).items():
        found[label] = set(re.findall(r"row-(read|refused|destructive)", _get(visitor, f"/activity/{address}")))
    assert found == {"All": {"read", "refused", "destructive"}, "Refused": {"refused"}, "Destructive": {"destructive"}}


def test_tabs_keep_the_other_filters(cast: Cast, browse: Browse) -> None:
    page = _get(browse("owner"), "/audit/?what=destroyed&range=24h&q=Globex")
    assert _tabs(page)["Administration"] == ("?range=24h&q=Globex&what=console", False)
