"""The export page: for reviewers who have just shown that it is they, streamed, with the list's filters."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.core.export_progress import ExportProgress
from hoursmith_console.core.times.spans import last_night
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import AuditEvent, AuditPhase
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.exports import export
from tests.hoursmith_console.records import make_audit, make_call

Browse = Callable[[str], Client]


def _export(cast: Cast, person: str, query: str = "", format_name: str = "jsonl") -> tuple[int, bytes]:
    return export(cast, person, f"/audit/export/{query}", format_name)


@pytest.mark.parametrize("format_name", ["jsonl", "csv", "ocsf", "cef"])
@pytest.mark.parametrize("person", ["owner", "admin"])
def test_reviewers_export_their_workspace_and_that_is_recorded(cast: Cast, person: str, format_name: str) -> None:
    mine, foreign = make_audit(cast.tokens["manager"]), make_audit(cast.tokens["outsider"])
    status, body = _export(cast, person, format_name=format_name)
    assert status == 200
    assert str(mine.call_id).encode() in body
    assert str(foreign.call_id).encode() not in body
    assert AuditEvent.objects.get(phase=AuditPhase.EVENT).actor == cast.people[person].display_identity


def test_the_filters_of_the_list_are_kept(cast: Cast) -> None:
    kept, left = make_audit(cast.tokens["manager"]), make_audit(cast.tokens["manager"], "archive_project")
    status, body = _export(cast, "owner", "?tool=delete_client")
    assert status == 200
    assert body.count(str(kept.call_id).encode()) == 2
    assert str(left.call_id).encode() not in body
    assert b'"complete":false' in body


@pytest.mark.parametrize("area", ["audit", "activity"])
def test_a_quick_range_is_recorded_as_the_instants_that_it_meant(cast: Cast, area: str) -> None:
    Member.objects.filter(pk=cast.people["owner"].pk).update(time_zone="Europe/Berlin")
    status, _ = export(cast, "owner", f"/{area}/export/?range=night", "jsonl")
    assert status == 200
    recorded = AuditEvent.objects.get(tool="console.export").arguments
    night = last_night(timezone.now(), ZoneInfo("Europe/Berlin"))
    assert [recorded["from"], recorded["before"]] == [f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in night]
    assert "night" in (recorded.get("page", "") + recorded.get("range", ""))


def test_the_page_says_how_many_entries_of_the_list_it_exports(cast: Cast) -> None:
    make_audit(cast.tokens["manager"])
    make_audit(cast.tokens["manager"], "archive_project")
    make_audit(cast.tokens["outsider"])
    for query, rows in (("", "2 entries"), ("?tool=delete_client", "1 entry")):
        status, page = _export(cast, "owner", query, format_name="none")
        assert status == 400
        assert f'href="/audit/{query or "?"}">{rows}</a> of the list' in page.decode()


def test_an_unknown_format_is_refused_and_not_recorded(cast: Cast) -> None:
    assert _export(cast, "owner", format_name="xml")[0] == 400
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("person", "status", "leads_to"),
    [
        ("owner", 302, "/accounts/reauthenticate/"),
        ("manager", 403, ""),
        ("member", 403, ""),
        ("anonymous", 302, "/accounts/login/"),
    ],
)
def test_a_recent_password_is_asked_of_who_may_and_nobody_else_may(
    browse: Browse, person: str, status: int, leads_to: str, method: str
) -> None:
    answer = getattr(browse(person), method)("/audit/export/", {"format": "jsonl"})
    assert answer.status_code == status
    assert answer.headers.get("Location", "").startswith(leads_to)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("area", ["audit", "activity"])
def test_the_page_says_how_far_one_s_own_export_is(cast: Cast, browse: Browse, trusted: Browse, area: str) -> None:
    address = f"/{area}/export/progress/"
    for _ in range(3):
        make_call(cast.tokens["owner"])
    assert browse("owner").get(f"{address}?mark=").status_code == 204
    _, body = export(cast, "owner", f"/{area}/export/", "csv")
    rows = len(body.splitlines()) - 1
    for page in (browse("owner").get(address), trusted("owner").get(f"/{area}/export/")):
        assert f'complete</span> <span class="quiet"><span class="number">{rows}</span> row' in page.content.decode()
    # Nobody else's.
    assert b"Export complete" not in browse("admin").get(address).content
    for person, status in (("manager", 403), ("anonymous", 302)):
        assert browse(person).get(address).status_code == status


def test_half_an_export_is_shown_as_such(cast: Cast, browse: Browse) -> None:
    now = ExportProgress(member=cast.people["owner"], area="audit", total=4)
    now.count(1)
    now.publish()
    page = browse("owner").get("/audit/export/progress/").content.decode()
    assert '<progress value="1" max="4">' in page
    now.end(is_complete=False)
    assert "Export interrupted" in browse("owner").get("/audit/export/progress/").content.decode()
    # Lines of other kinds do not make rows of themselves.
    more = ExportProgress(member=cast.people["owner"], area="audit", total=4)
    more.count(7)
    more.end(is_complete=True)
    assert '<span class="number">4</span> rows' in browse("owner").get("/audit/export/progress/").content.decode()
