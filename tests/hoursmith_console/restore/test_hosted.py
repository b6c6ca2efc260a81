"""In hosted mode a restore takes a token of the member, uses it twice and drops it; every fault is put into words."""

import json
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.restore.models import Restore
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.models import AuditEvent, ObservedToken
from tests.faults.upstream import Fault, Hoursmith, Line, Seen, answering, drop_at_once, new_token, refusing
from tests.hoursmith_console.records import make_audit, make_token
from tests.reauthentication import trusted_client
from tests.unavailable import refused_inserts

pytestmark = pytest.mark.django_db(databases="__all__")

RECORD_ID, NEW_ID = str(uuid.uuid4()), str(uuid.uuid4())
OTHER = str(uuid.uuid4())
CREATED = {
    "delete_client": ("/clients", {"name": "Globex", "currency": "EUR", "defaultRate": "95.00"}),
    "delete_expense": (
        "/expenses",
        {"clientId": OTHER, "description": "Taxi", "amount": "31.40", "expenseDate": "2026-03-02"},
    ),
    "delete_time_entry": (
        "/time-entries",
        {"projectId": OTHER, "durationSeconds": 5400, "billable": False, "entryDate": "2026-03-02"},
    ),
}
CHANGED = {"archive_project": ("/projects", {"status": "ACTIVE"}), "archive_task": ("/tasks", {"status": "DONE"})}


@pytest.fixture
def owner(hosted: Hoursmith, db: None) -> Member:
    """The owner of the workspace that the tokens of `hosted` belong to."""
    workspace = import_workspace(org_id="org-1", name="Studio Nord", plan="agency")
    member = import_member(
        workspace=workspace,
        member_id="member-1",
        user_ref="user-1",
        name="Olga",
        email="olga@example.com",
        role="OWNER",
    )
    create_account(member=member, password="correct horse battery staple")
    return member


@pytest.fixture
def browser(owner: Member) -> Client:
    return trusted_client(owner.user)


@pytest.fixture
def token(owner: Member) -> ObservedToken:
    """The token that destroyed things."""
    return make_token("org-1", "4f8a2c1bdedf", role="OWNER")


def destroyed(token: ObservedToken, tool: str = "delete_client") -> AuditEvent:
    fields = {**CREATED, **CHANGED}[tool][1]
    snapshot = {"id": RECORD_ID, "orgId": "org-1", "createdAt": "2026-03-02T09:00:00Z", "deletedAt": None, **fields}
    if tool == "delete_time_entry":
        snapshot |= {"userId": "user-1", "invoiceId": None}
    return make_audit(token, tool, snapshot=snapshot, target_id=RECORD_ID)


def address(entry: AuditEvent) -> str:
    return f"/audit/{entry.call_id}/restore/"


def outcome() -> AuditEvent:
    return AuditEvent.objects.get(tool="console.restore")


def kept(secret: str) -> bool:
    """Whether the secret stands in any row that was written."""
    rows = [str(list(model.objects.values())) for model in (AuditEvent, Restore, TokenClaim)]
    return secret in "".join(rows)


@pytest.mark.parametrize("tool", list(CREATED))
def test_a_deleted_record_is_created_again_with_the_pasted_token(
    hosted: Hoursmith, browser: Client, token: ObservedToken, tool: str
) -> None:
    entry, pasted = destroyed(token, tool), hosted.mint()
    assert 'type="password" name="token"' in browser.get(address(entry)).content.decode()
    with hosted.failing("POST", answering(201, {"data": {"id": NEW_ID}})):
        assert browser.post(address(entry), {"token": f" {pasted} "}).status_code == 302
    assert [(each.method, each.path.removeprefix("/api/v1"), each.token) for each in hosted.seen] == [
        ("GET", "/me", pasted),
        ("POST", CREATED[tool][0], pasted),
    ]
    sent = hosted.changes[0]
    assert json.loads(sent.body) == CREATED[tool][1]
    assert sent.header("Idempotency-Key")
    assert Restore.objects.get().record_id == NEW_ID
    assert outcome().prefix == pasted.split("_")[2]
    assert not kept(pasted.split("_")[3])


@pytest.mark.parametrize("tool", list(CHANGED))
def test_an_archived_record_is_changed_back(
    hosted: Hoursmith, browser: Client, token: ObservedToken, tool: str
) -> None:
    entry, (path, body) = destroyed(token, tool), CHANGED[tool]
    record = {"id": RECORD_ID, "deletedAt": None, **body}
    with hosted.failing("PATCH", answering(200, {"data": record})):
        assert browser.post(address(entry), {"token": hosted.mint()}).status_code == 302
    [sent] = hosted.changes
    assert (sent.method, sent.path) == ("PATCH", f"/api/v1{path}/{RECORD_ID}")
    assert json.loads(sent.body) == body


def test_a_record_that_stays_archived_is_not_called_restored(
    hosted: Hoursmith, browser: Client, token: ObservedToken
) -> None:
    entry = destroyed(token, "archive_task")
    with hosted.failing("PATCH", answering(200, {"data": {"id": RECORD_ID, "deletedAt": "2026-03-02T09:00:00Z"}})):
        answer = browser.post(address(entry), {"token": hosted.mint()})
    assert answer.status_code == 409
    assert "still archived" in answer.content.decode()
    assert Restore.objects.get().is_void


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (402, "forbidden_plan", "Studio"),
        (403, "forbidden_scope", "Your role in Hoursmith"),
        (409, "conflict", "locked"),
        (422, "validation_error", "Enter this expense"),
        (429, "rate_limited", "Wait a minute"),
    ],
)
def test_what_hoursmith_refuses_is_put_into_words_and_may_be_tried_again(
    hosted: Hoursmith, browser: Client, token: ObservedToken, status: int, code: str, said: str
) -> None:
    entry, pasted = destroyed(token, "delete_expense"), hosted.mint()
    fields = {"fields": {"projectId": "must be a project of the client"}} if status == 422 else {}
    error = {"error": {"code": code, "message": "Not like this.", "requiredPlan": "studio", **fields}}
    with hosted.failing("POST", answering(status, error)):
        answer = browser.post(address(entry), {"token": pasted})
    assert answer.status_code == 409
    assert "no-store" in answer["Cache-Control"]
    page = answer.content.decode()
    assert said in page
    assert pasted not in page
    assert outcome().result == "refused"
    assert len(hosted.changes) == 1
    with hosted.failing("POST", answering(201, {"data": {"id": NEW_ID}})):
        assert browser.post(address(entry), {"token": pasted}).status_code == 302


@pytest.mark.parametrize("fault", [drop_at_once, refusing(500, "internal"), answering(201, b"{")])
def test_an_unknown_outcome_is_told_and_settled_by_a_person_who_looks(
    hosted: Hoursmith, browser: Client, token: ObservedToken, fault: Fault
) -> None:
    entry, pasted = destroyed(token), hosted.mint()
    with hosted.failing("POST", fault):
        answer = browser.post(address(entry), {"token": pasted})
    assert (answer.status_code, outcome().result) == (502, "unknown")
    assert "outcome of the restore is unknown" in answer.content.decode()
    assert "outcome is not known yet" in browser.get(f"/audit/{entry.call_id}/").content.decode()
    assert browser.post(address(entry), {"token": pasted}).status_code == 409
    assert len(hosted.changes) == 1
    settled = browser.post(f"{address(entry)}resolve/", {"found": "no"})
    assert settled["Location"] == address(entry)
    assert browser.post(f"{address(entry)}resolve/", {"found": "yes"}).status_code == 404
    with hosted.failing("POST", answering(201, {"data": {"id": NEW_ID}})):
        assert browser.post(address(entry), {"token": pasted}).status_code == 302


def test_an_unknown_outcome_that_is_there_counts_as_restored(
    hosted: Hoursmith, browser: Client, token: ObservedToken
) -> None:
    entry = destroyed(token)
    with hosted.failing("POST", drop_at_once):
        browser.post(address(entry), {"token": hosted.mint()})
    browser.post(f"{address(entry)}resolve/", {"found": "yes"})
    assert browser.post(address(entry), {"token": hosted.mint()}).status_code == 409
    assert "<strong>Restored</strong>" in browser.get(f"/audit/{entry.call_id}/").content.decode()


def test_nothing_is_sent_while_hoursmith_is_away(hosted: Hoursmith, browser: Client, token: ObservedToken) -> None:
    entry, pasted = destroyed(token), hosted.mint()
    with hosted.down():
        answer = browser.post(address(entry), {"token": pasted})
    assert answer.status_code == 409
    assert "cannot be reached" in answer.content.decode()
    assert not Restore.objects.exists()


def test_a_token_that_is_not_theirs_restores_nothing(
    hosted: Hoursmith, owner: Member, browser: Client, token: ObservedToken
) -> None:
    entry, blocked = destroyed(token), hosted.mint()
    block_token(env="live", prefix=blocked.split("_")[2], org_id="org-1", actor="Ben", reason="Lost")
    for pasted, status, said in (
        ("", 400, "no token"),
        ("${HOURSMITH_API_TOKEN}", 400, "variable"),
        (new_token(), 409, "does not accept"),
        (hosted.mint("MANAGER"), 409, "role MANAGER, but yours is OWNER"),
        (blocked, 409, "blocked in this console"),
    ):
        answer = browser.post(address(entry), {"token": pasted})
        assert (answer.status_code, said in answer.content.decode()) == (status, True), (pasted, answer.content)
    assert not hosted.changes
    assert not Restore.objects.exists()


def test_the_request_for_an_assistant_holds_what_the_call_would(browser: Client, token: ObservedToken) -> None:
    for tool, (_, fields) in {**CREATED, **CHANGED}.items():
        page = browser.get(address(destroyed(token, tool))).content.decode()
        for value in fields.values():
            assert str(value if not isinstance(value, bool) else str(value).lower()) in page, (tool, value)


def test_a_response_without_a_body_leaves_the_new_id_open(
    hosted: Hoursmith, browser: Client, token: ObservedToken
) -> None:
    entry = destroyed(token)
    with hosted.failing("POST", answering(201)):
        assert browser.post(address(entry), {"token": hosted.mint()}).status_code == 302
    found: Any = Restore.objects.get()
    assert (found.result, found.record_id) == ("succeeded", "")


def test_an_outcome_that_cannot_be_recorded_counts_as_unknown(
    hosted: Hoursmith, browser: Client, token: ObservedToken, stop_clock: Callable[[datetime], None]
) -> None:
    entry, pasted = destroyed(token), hosted.mint()
    with ExitStack() as faults:

        def fail(line: Line, request: Seen) -> None:
            faults.enter_context(refused_inserts(AuditEvent._meta.db_table))
            line.answer(201, {"data": {"id": NEW_ID}})

        with hosted.failing("POST", fail):
            assert browser.post(address(entry), {"token": pasted}).status_code == 502
    assert (Restore.objects.get().result, Restore.objects.get().is_void) == ("", False)
    assert "Restore in progress" in browser.get(address(entry)).content.decode()
    stop_clock(timezone.now() + timedelta(minutes=3))
    assert "outcome of the restore is unknown" in browser.get(address(entry)).content.decode()
    assert browser.post(f"{address(entry)}resolve/", {"found": "yes"}).status_code == 302
    assert [row.result for row in AuditEvent.objects.filter(tool__startswith="console.restore")].count("succeeded") == 2
