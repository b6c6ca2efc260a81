"""Who is shown arguments and snapshots, and that looking is itself in the record."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call
from tests.hoursmith_console.sign_in.people import told

Browse = Callable[[str], Client]
SENT, LOST = "A word that was sent", "A word that was lost"


@pytest.fixture
def pages(cast: Cast) -> list[str]:
    """The two pages of one deletion with the manager's token."""
    token = cast.tokens["manager"]
    intent = make_audit(token, arguments={"note": SENT}, snapshot={"notes": LOST})
    call = make_call(token, "delete_client", arguments={"note": SENT}, call_id=intent.call_id)
    return [f"/audit/{intent.call_id}/", f"/activity/{call.pk}/"]


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_who_reviews_is_shown_the_contents_and_that_is_recorded_once_an_hour(
    cast: Cast, browse: Browse, pages: list[str], name: str
) -> None:
    visitor = browse(name)
    for _ in range(2):
        for address in pages:
            assert SENT in visitor.get(address).content.decode()
    assert LOST in visitor.get(pages[0]).content.decode()
    assert told() == ["record_open"]
    row = AuditEvent.objects.get(tool="console.record_open")
    assert (row.actor, row.target_label) == (cast.people[name].display_identity, "delete_client Globex")
    assert row.target_id in pages[0]


def test_each_person_who_looks_is_recorded(browse: Browse, pages: list[str]) -> None:
    for name in ("owner", "admin", "owner"):
        browse(name).get(pages[0])
    assert told() == ["record_open", "record_open"]


def test_an_hour_later_it_is_recorded_again(browse: Browse, pages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    browse("owner").get(pages[0])
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    browse("owner").get(pages[0])
    assert told() == ["record_open", "record_open"]


def test_a_manager_sees_that_their_token_called_and_not_with_what(browse: Browse, pages: list[str]) -> None:
    for address in pages:
        answer = browse("manager").get(address)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert SENT not in page
        assert LOST not in page
        assert "Visible to Owners, Admins and Auditors only." in page
    assert told() == []


@pytest.mark.usefixtures("cast")
def test_what_cannot_be_recorded_is_not_shown_but_the_page_is(
    browse: Browse, pages: list[str], audit_unavailable: None
) -> None:
    for address in pages:
        answer = browse("owner").get(address)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert SENT not in page
        assert LOST not in page
        assert "Temporarily unavailable" in page


def test_a_page_without_contents_records_nothing(cast: Cast, browse: Browse) -> None:
    call = make_call(cast.tokens["manager"])
    assert browse("owner").get(f"/activity/{call.pk}/").status_code == 200
    assert told() == []
