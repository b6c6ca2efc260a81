"""A restored log says so for ever: which entries are missing, who accepted that, and why."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from hoursmith_console.audit.verification.epochs import epoch_notes
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.models import AuditEpoch, AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.proven_logs import lose_rows, rewrite

Browse = Callable[[str], Client]
REASON = "restored the <backup> of 11:00"


@pytest.fixture
def restored(cast: Cast, django_capture_on_commit_callbacks: Any) -> AuditEvent:
    """A log whose entries 3 and 4 are missing; the entry of the command that accepted that."""
    for _ in range(2):
        make_audit(cast.tokens["manager"])
    with django_capture_on_commit_callbacks(execute=True):
        make_checkpoints(reason="demand", org_id=cast.org_id)
    lose_rows(cast.org_id, after=2)
    look(node_anchors(), "default")
    with django_capture_on_commit_callbacks(execute=True):
        call_command("audit_accept_restore", reason=REASON, stdout=io.StringIO())
    return AuditEvent.objects.get(tool="console.audit_restore")


def _text(page: Client, address: str) -> str:
    answer = page.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def test_every_page_with_the_state_of_the_log_names_what_is_missing(
    cast: Cast, browse: Browse, restored: AuditEvent
) -> None:
    said = f"Entries 3–4 are missing. Later entries have these numbers again. Accepted by {restored.actor}"
    for address in ("/audit/", "/", "/audit/verification/"):
        text = _text(browse("owner"), address)
        assert "Restored from a backup" in text
        assert said in text, address
        assert "“restored the &lt;backup&gt; of 11:00”" in text
    page = browse("owner").get("/audit/").content.decode()
    assert f'href="/audit/{restored.call_id}/">View entry</a>' in page
    for person in ("manager", "outsider"):
        assert "Restored from a backup" not in _text(browse(person), "/audit/")


def test_a_statement_that_was_changed_in_the_database_breaks_no_page(
    cast: Cast, browse: Browse, restored: AuditEvent
) -> None:
    for message in ("{}", "[", '{"to":"x/1","at":"then","from":{},"kept":{}}', "[]"):
        rewrite(AuditEpoch.objects.get(), message=message)
        assert "Entries 3–4 are missing." in _text(browse("owner"), "/audit/")


@pytest.mark.parametrize(
    ("action", "changes", "said"),
    [
        ("console.audit_anchor", {}, "Another history adopted. Entry 4 is not the one that this console had signed."),
        (
            "console.key_lost",
            {"restore-1": "break-1"},
            "Signing key lost. The log continues after entry 2 with another key.",
        ),
    ],
)
def test_an_adopted_history_and_a_lost_key_are_told_apart(
    cast: Cast, browse: Browse, restored: AuditEvent, action: str, changes: dict[str, str], said: str
) -> None:
    stored = AuditEpoch.objects.get()
    message = stored.message.replace('"sequence":4', '"sequence":2')
    for old, new in changes.items():
        message = message.replace(old, new)
    rewrite(stored, message=message)
    rewrite(restored, tool=action)
    assert said in _text(browse("owner"), "/audit/")


def test_a_log_of_one_epoch_costs_one_query(cast: Cast, django_assert_num_queries: Any) -> None:
    make_audit(cast.tokens["manager"])
    with django_assert_num_queries(1):
        assert epoch_notes(cast.org_id) == []
