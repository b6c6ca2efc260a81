"""A call whose outcome nobody knows is on the list of things to do until somebody writes down what they found."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mcpbridge.audit.rows import append_rows, call_of, unknown_row
from mcpbridge.models import AuditEvent, AuditPhase, Result
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit

Browse = Callable[[str], Client]


@pytest.fixture
def lost(cast: Cast) -> AuditEvent:
    """A call of the manager's token without outcome, marked by the sweep."""
    intent = make_audit(cast.tokens["manager"], at=timezone.now() - timedelta(hours=1), result=None)
    append_rows("default", [unknown_row(call_of(intent))])
    return intent


def _resolve(client: Client, intent: AuditEvent, note: str = "Looked: it is gone.") -> int:
    return client.post(f"/audit/{intent.call_id}/resolve/", {"note": note}).status_code


def _resolutions() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(phase=AuditPhase.RESOLUTION))


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_who_reviews_the_workspace_resolves_with_a_note(
    browse: Browse, lost: AuditEvent, cast: Cast, person: str
) -> None:
    visitor = browse(person)
    assert "#resolve" in visitor.get("/").content.decode()
    assert 'id="resolve"' in visitor.get(f"/audit/{lost.call_id}/").content.decode()
    assert _resolve(visitor, lost, "  Looked: <b>it is gone</b>. ") == 302
    [row] = _resolutions()
    assert (row.note, row.actor) == ("Looked: <b>it is gone</b>.", f"{cast.people[person].name} <{person}@example.com>")
    page = visitor.get(f"/audit/{lost.call_id}/").content.decode()
    assert "Looked: &lt;b&gt;it is gone&lt;/b&gt;." in page
    assert "Note saved." in page
    assert 'id="resolve"' not in page
    assert "Nothing needs attention." in visitor.get("/").content.decode()
    assert "resolved by" in visitor.get("/audit/").content.decode()


@pytest.mark.parametrize(
    ("person", "status"), [("manager", 403), ("member", 404), ("outsider", 404), ("anonymous", 302)]
)
def test_nobody_else_can_resolve(browse: Browse, lost: AuditEvent, person: str, status: int) -> None:
    assert _resolve(browse(person), lost) == status
    assert not _resolutions()


def test_the_caller_sees_the_call_and_no_form(browse: Browse, lost: AuditEvent) -> None:
    page = browse("manager").get(f"/audit/{lost.call_id}/").content.decode()
    assert "Outcome unknown." in page
    assert 'id="resolve"' not in page
    assert "#resolve" not in browse("manager").get("/").content.decode()


@pytest.mark.parametrize("note", ["", "   ", "x" * 1001])
def test_a_note_has_one_to_a_thousand_characters(browse: Browse, lost: AuditEvent, note: str) -> None:
    assert _resolve(browse("owner"), lost, note) == 400
    assert not _resolutions()


def test_the_second_of_two_people_is_told(browse: Browse, lost: AuditEvent) -> None:
    assert _resolve(browse("owner"), lost) == 302
    visitor = browse("admin")
    assert _resolve(visitor, lost, "me too") == 302
    assert "Already resolved" in visitor.get(f"/audit/{lost.call_id}/").content.decode()
    assert len(_resolutions()) == 1


def test_resolving_needs_a_post_with_the_pages_token(cast: Cast, browse: Browse, lost: AuditEvent) -> None:
    assert browse("owner").get(f"/audit/{lost.call_id}/resolve/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    user = cast.people["owner"].user
    assert user is not None
    strict.force_login(user)
    assert _resolve(strict, lost) == 403
    assert not _resolutions()


def test_a_failure_that_may_have_been_carried_out_is_resolved_too(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"], result=Result.FAILED, status=504, code="upstream_timeout")
    assert _resolve(browse("owner"), intent) == 302
    assert "Nothing needs attention." in browse("owner").get("/").content.decode()


def test_a_call_that_was_not_marked_yet_has_no_form(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"], at=timezone.now() - timedelta(minutes=2), result=None)
    page = browse("owner").get(f"/audit/{intent.call_id}/").content.decode()
    assert "The call will be marked automatically" in page
    assert 'id="resolve"' not in page


def test_a_call_that_ended_is_not_marked(cast: Cast, browse: Browse) -> None:
    known = make_audit(cast.tokens["manager"])
    append_rows("default", [unknown_row(call_of(known))])
    page = browse("owner").get(f"/audit/{known.call_id}/").content.decode()
    assert 'id="resolve"' not in page
