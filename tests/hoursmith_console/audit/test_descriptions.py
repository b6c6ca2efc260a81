"""What people did in the console stands in the audit area, for those who review the workspace."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils.html import strip_tags

from hoursmith_console.audit.descriptions import describe_event
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.models import AuditEvent, AuditPhase, Result
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit

Browse = Callable[[str], Client]


@pytest.fixture
def event(cast: Cast) -> AuditEvent:
    """The manager's token is blocked by the owner."""
    token = cast.tokens["manager"]
    record_event(
        org_id=cast.org_id,
        action="console.token_block",
        actor="Olive <owner@example.com>",
        target_type="token",
        target_id=token.prefix,
        target_label="manager's laptop",
        token=TokenNamed(token.env, token.prefix, token.token_name),
        note="leaked <b>",
    )
    return AuditEvent.objects.get(phase=AuditPhase.EVENT)


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_reviewers_see_events_in_words(browse: Browse, event: AuditEvent, person: str) -> None:
    visitor = browse(person)
    address = f"/audit/{event.call_id}/"
    assert address in visitor.get("/audit/").content.decode()
    page = visitor.get(address).content.decode().replace("&#x27;", "'")
    assert "Olive blocked the token" in strip_tags(page)
    assert "Olive &lt;owner@example.com&gt;" in page
    assert "leaked &lt;b&gt;" in page
    assert page.count("Hash valid") == 1


@pytest.mark.parametrize(
    ("person", "status"), [("manager", 404), ("member", 404), ("outsider", 404), ("anonymous", 302)]
)
def test_nobody_else_sees_them(browse: Browse, event: AuditEvent, person: str, status: int) -> None:
    visitor = browse(person)
    assert visitor.get(f"/audit/{event.call_id}/").status_code == status
    page = visitor.get("/audit/?what=console").content.decode()
    assert str(event.call_id) not in page
    assert ('name="what"' in page) is (person == "outsider")


@pytest.mark.parametrize(
    ("query", "has_event", "has_call"),
    [
        ("", True, True),
        ("?what=console", True, False),
        ("?what=destroyed", False, True),
        ("?what=nonsense", True, True),
        ("?outcome=succeeded", False, True),
        ("?outcome=unknown", False, False),
        ("?q=Olive", True, False),
    ],
)
def test_the_list_is_filtered_by_what_it_is(
    cast: Cast, browse: Browse, event: AuditEvent, query: str, has_event: bool, has_call: bool
) -> None:
    call = make_audit(cast.tokens["manager"])
    page = browse("owner").get(f"/audit/{query}").content.decode()
    assert (str(event.call_id) in page, str(call.call_id) in page) == (has_event, has_call)


def test_an_event_cannot_be_resolved(browse: Browse, event: AuditEvent) -> None:
    assert browse("owner").post(f"/audit/{event.call_id}/resolve/", {"note": "x"}).status_code == 404


def test_events_do_not_ask_for_attention(browse: Browse, event: AuditEvent) -> None:
    page = browse("owner").get("/").content.decode()
    assert "Nothing needs attention." in page
    assert str(event.call_id) not in page


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"tool": "console.sign_in", "actor": "Ana", "target_label": "Ana"}, "Ana signed in"),
        ({"tool": "console.sign_in_failed", "target_label": "Ana"}, "Someone failed to sign in as Ana"),
        ({"tool": "console.lamp_change", "actor": "Ana", "target_label": "lamp 2"}, "Ana did “lamp change” on lamp 2"),
        (
            {"tool": "console.key_rotate", "target_id": "ab12"},
            "The console rotated the audit log’s signing key to ab12",
        ),
        (
            {"tool": "console.invite", "actor": "Ana", "target_label": "Ben", "result": Result.REFUSED},
            "Ana made an attempt that was refused: invited Ben",
        ),
    ],
)
def test_each_event_reads_as_a_sentence(facts: dict[str, str], sentence: str) -> None:
    event = describe_event(AuditEvent(phase=AuditPhase.EVENT, **facts))
    assert f"{event.actor} {event.predicate} {event.target}".strip() == sentence
