"""Following the audit record live: calls come in, their outcomes follow, and nobody sees more than in the list."""

from collections.abc import Callable

from django.test import Client

from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.live_pages import page_of, poll_address
from tests.hoursmith_console.records import audit_pair, make_audit, save_audit

Browse = Callable[[str], Client]


def _begun(cast: Cast, label: str, person: str = "manager") -> tuple[AuditEvent, AuditEvent]:
    """A deletion that is under way, and its outcome, which is not written yet."""
    intent, outcome = audit_pair(cast.tokens[person], target_label=label)
    save_audit([intent])
    return intent, outcome


def test_a_deletion_comes_in_under_way_and_is_put_right_when_it_has_ended(cast: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    make_audit(cast.tokens["owner"], target_label="old")
    poll = poll_address(page_of(visitor, "/audit/?live=1"))
    assert visitor.get(poll).status_code == 204
    intent, outcome = _begun(cast, "Initech")
    came = page_of(visitor, poll)
    assert 'hx-swap-oob="afterbegin:#followed-rows"' in came
    assert "1 new row" in came
    assert "In progress" in came
    assert ">old<" not in came
    save_audit([outcome])
    ended = page_of(visitor, poll_address(came))
    assert f'id="row-{intent.call_id}" hx-swap-oob="true"' in ended
    assert "Succeeded" in ended
    assert "afterbegin" not in ended
    assert visitor.get(poll_address(ended)).status_code == 204


def test_what_was_under_way_when_the_page_was_opened_is_put_right_too(cast: Cast, browse: Browse) -> None:
    intent, outcome = _begun(cast, "Initech")
    page = page_of(browse("owner"), "/audit/?live=1")
    assert f'id="row-{intent.call_id}"' in page
    save_audit([outcome])
    assert f'id="row-{intent.call_id}" hx-swap-oob="true"' in page_of(browse("owner"), poll_address(page))


def test_a_filter_by_outcome_lets_a_call_in_when_it_has_ended(cast: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    make_audit(cast.tokens["owner"])
    poll = poll_address(page_of(visitor, "/audit/?outcome=succeeded&live=1"))
    _, outcome = _begun(cast, "Initech")
    # Nothing to show, but the place moves on.
    waiting = page_of(visitor, poll)
    assert "Initech" not in waiting
    save_audit([outcome])
    assert "Initech" in page_of(visitor, poll_address(waiting))


def test_the_tail_shows_nobody_more_than_the_list(cast: Cast, browse: Browse) -> None:
    for person in ("manager", "outsider"):
        make_audit(cast.tokens[person])
    polls = {name: poll_address(page_of(browse(name), "/audit/?live=1")) for name in ("manager", "outsider")}
    intent, outcome = _begun(cast, "Of the owner", "owner")
    foreign = polls["outsider"].replace("place=", f"open={intent.call_id}&place=")
    save_audit([outcome])
    for name, poll in {**polls, "outsider": foreign}.items():
        answer = browse(name).get(poll)
        assert b"Of the owner" not in answer.content, name


def test_a_place_that_is_none_is_where_the_record_ends(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["owner"], target_label="old")
    assert browse("owner").get("/audit/tail/?place=nonsense&open=1,2").status_code == 204
