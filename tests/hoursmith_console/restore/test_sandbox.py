"""What an assistant archived or deleted comes back in the sandbox, once, and the audit log says so."""

import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.test import Client

from hoursmith_console.restore.models import Restore
from hoursmith_console.sandbox.models import Token
from mcpbridge.core.sanitize import sanitize_snapshot
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.records import make_audit
from tests.hoursmith_console.sandbox_members import Somebody, Town

pytestmark = pytest.mark.django_db(databases="__all__")

NEW = {
    "delete_client": ("/clients", {"name": "Umbrella", "email": "ada@umbrella.example", "defaultRate": "95.00"}),
    "delete_expense": ("/expenses", {"description": "Taxi", "amount": "31.40", "expenseDate": "2026-03-02"}),
    "delete_time_entry": ("/time-entries", {"durationSeconds": 5400, "note": "Kick-off", "entryDate": "2026-03-02"}),
}
ARCHIVED = {"archive_project": "/projects", "archive_task": "/tasks"}


def destroyed(somebody: Somebody, tool: str, path: str, body: dict[str, Any], **more: Any) -> AuditEvent:
    """Create a record, let it be destroyed through the API, and return the entry of that call."""
    created = somebody.caller.post(path, body)
    assert created.status_code == 201, created.content
    place = f"{path}/{created.json()['data']['id']}"
    snapshot = somebody.caller.get(place).json()["data"]
    gone = somebody.caller.post(f"{place}/archive") if tool in ARCHIVED else somebody.caller.delete(place)
    assert gone.status_code < 300, gone.content
    label = body.get("name") or body.get("note") or body.get("description") or ""
    given = {"snapshot": snapshot, "target_id": snapshot["id"], "target_label": label, **more}
    return make_audit(somebody.token, tool, **given)


def deleted(town: Town, tool: str, who: str = "owner", **more: Any) -> AuditEvent:
    """The entry of a deletion with one of the tools in `NEW`."""
    path, body = NEW[tool]
    names: dict[str, Any] = {}
    if tool != "delete_client":
        project = town[who].caller.list("/projects")[0]
        names = {"projectId": project["id"]}
        if tool == "delete_expense":
            names["clientId"] = project["clientId"]
    return destroyed(town[who], tool, path, {**body, **names}, **more)


def archived(town: Town, tool: str, **more: Any) -> AuditEvent:
    """The entry of an archiving call."""
    project = town["owner"].caller.list("/projects")[0]
    body = {"name": "Relaunch", "status": "COMPLETED", "clientId": project["clientId"]}
    if tool == "archive_task":
        body = {"name": "Write copy", "status": "IN_PROGRESS", "projectId": project["id"]}
    return destroyed(town["owner"], tool, ARCHIVED[tool], body, **more)


def address(entry: AuditEvent) -> str:
    return f"/audit/{entry.call_id}/restore/"


def events() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(tool__startswith="console.restore").order_by("sequence")
    return [(row.tool, row.result) for row in rows]


@pytest.mark.parametrize("tool", list(NEW))
def test_a_deleted_record_comes_back_as_a_new_one_with_the_same_fields(acme: Town, tool: str) -> None:
    entry, owner = deleted(acme, tool), acme["owner"]
    tokens = Token.objects.filter(revoked_at=None).count()
    browser = owner.browser()
    assert browser.get(address(entry)).status_code == 200
    answer = browser.post(address(entry))
    assert answer.status_code == 302
    assert answer["Location"] == f"/audit/{entry.call_id}/"
    attempt = Restore.objects.get()
    assert attempt.record_id not in ("", entry.target_id)
    back = owner.caller.get(f"{NEW[tool][0]}/{attempt.record_id}").json()["data"]
    others = ("id", "createdAt", "updatedAt")
    assert {name: back[name] for name in back if name not in others} == {
        name: entry.snapshot[name] for name in entry.snapshot if name not in others
    }
    assert events() == [("console.restore_start", "succeeded"), ("console.restore", "succeeded")]
    last = AuditEvent.objects.get(tool="console.restore")
    assert (last.actor, last.target_id, last.arguments) == (
        owner.member.display_identity,
        entry.target_id,
        {"call": str(entry.call_id), "record": attempt.record_id, "status": 201},
    )
    assert Token.objects.filter(revoked_at=None).count() == tokens
    page = browser.get(f"/audit/{entry.call_id}/").content.decode()
    assert "Restored as" in page
    assert attempt.record_id in page


@pytest.mark.parametrize("tool", list(ARCHIVED))
def test_an_archived_record_is_active_again(acme: Town, tool: str) -> None:
    entry, owner = archived(acme, tool), acme["owner"]
    assert owner.browser().post(address(entry)).status_code == 302
    back = owner.caller.get(f"{ARCHIVED[tool]}/{entry.target_id}").json()["data"]
    assert back["deletedAt"] is None
    assert back["status"] == {"archive_project": "ACTIVE", "archive_task": "IN_PROGRESS"}[tool]
    assert Restore.objects.get().record_id == entry.target_id
    assert entry.target_id in [row["id"] for row in owner.caller.list(ARCHIVED[tool])]


@pytest.mark.parametrize("tool", list(ARCHIVED))
def test_an_archived_record_needs_no_snapshot(acme: Town, tool: str) -> None:
    entry, owner = archived(acme, tool, snapshot_fault="switched_off"), acme["owner"]
    page = owner.browser().get(address(entry)).content.decode()
    assert ("not in the snapshot" in page) == (tool == "archive_task")
    assert owner.browser().post(address(entry)).status_code == 302
    back = owner.caller.get(f"{ARCHIVED[tool]}/{entry.target_id}").json()["data"]
    assert back["status"] == {"archive_project": "ACTIVE", "archive_task": "TODO"}[tool]


def test_what_came_back_is_not_restored_twice(acme: Town) -> None:
    entry, browser = deleted(acme, "delete_client"), acme["owner"].browser()
    browser.post(address(entry))
    again = browser.post(address(entry))
    assert again.status_code == 409
    assert Restore.objects.get().record_id in again.content.decode()
    assert len([row for row in acme["owner"].caller.list("/clients") if row["name"] == "Umbrella"]) == 1
    assert len(events()) == 2
    assert "Restore client</a>" not in browser.get(f"/audit/{entry.call_id}/").content.decode()


def test_of_two_people_at_once_only_one_restores(acme: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second asks while the first is being sent."""
    entry, second = deleted(acme, "delete_client"), acme["admin"].browser()
    answers: list[Any] = []
    whole = ASGIHandler.__call__

    async def with_another(self: ASGIHandler, scope: Any, *rest: Any) -> None:
        if scope["method"] == "POST" and not answers:
            answers.append(None)
            answers[0] = await sync_to_async(second.post)(address(entry))
        await whole(self, scope, *rest)

    monkeypatch.setattr(ASGIHandler, "__call__", with_another)
    assert acme["owner"].browser().post(address(entry)).status_code == 302
    assert answers[0].status_code == 409
    assert "Restore in progress" in answers[0].content.decode()
    assert len([row for row in acme["owner"].caller.list("/clients") if row["name"] == "Umbrella"]) == 1


def test_the_constraint_decides_between_two_that_both_looked(acme: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = deleted(acme, "delete_client")
    workspace = acme["owner"].member.workspace
    Restore.objects.create(workspace=workspace, call_id=entry.call_id, actor="Ana", env="live", prefix="0" * 12)
    monkeypatch.setattr("hoursmith_console.restore.services.current_restore", lambda intent: None)
    assert acme["admin"].browser().post(address(entry)).status_code == 409
    assert events() == []
    assert "Umbrella" not in [row["name"] for row in acme["owner"].caller.list("/clients")]


def test_a_record_whose_project_is_gone_is_refused_in_words_and_may_be_tried_again(acme: Town) -> None:
    snapshot = deleted(acme, "delete_time_entry").snapshot
    gone = make_audit(
        acme["owner"].token,
        "delete_time_entry",
        snapshot={**snapshot, "projectId": str(uuid.uuid4())},
        target_id=str(uuid.uuid4()),
    )
    browser = acme["owner"].browser()
    for _ in range(2):
        answer = browser.post(address(gone))
        page = answer.content.decode()
        assert answer.status_code == 409
        assert "there is no such project" in page
        assert "restore it first" in page
    assert [attempt.is_void for attempt in Restore.objects.all()] == [True, True]
    assert events()[-1] == ("console.restore", "refused")


def test_a_project_whose_client_was_deleted_is_refused(acme: Town) -> None:
    owner = acme["owner"]
    client = owner.caller.post("/clients", {"name": "Short"}).json()["data"]["id"]
    entry = destroyed(owner, "archive_project", "/projects", {"name": "Relaunch", "clientId": client})
    assert owner.caller.delete(f"/clients/{client}").status_code == 204
    answer = owner.browser().post(address(entry))
    assert answer.status_code == 409
    assert "Restore the client first" in answer.content.decode()


def test_the_plan_and_the_role_decide_as_for_every_call(acme: Town) -> None:
    entry = deleted(acme, "delete_client", "manager")
    org = acme["owner"].caller.member.org
    org.plan = "free"
    org.save()
    answer = acme["manager"].browser().post(address(entry))
    assert answer.status_code == 409
    assert "Studio" in answer.content.decode()
    org.plan = "agency"
    org.save()
    person = acme["manager"].caller.member
    person.role = "MEMBER"
    person.save()
    answer = acme["manager"].browser().post(address(entry))
    assert answer.status_code == 409
    assert "Your role in Hoursmith" in answer.content.decode()


def test_a_member_restores_their_own_without_seeing_the_contents(acme: Town) -> None:
    entry, member = deleted(acme, "delete_time_entry", "member"), acme["member"]
    page = member.browser().get(address(entry)).content.decode()
    assert "Duration seconds" in page
    assert "5400" not in page
    assert "1 h 30" not in page
    assert member.browser().post(address(entry)).status_code == 302
    assert acme["other_member"].browser().get(address(entry)).status_code == 404


def test_time_of_another_member_is_left_to_them(acme: Town) -> None:
    entry, owner = deleted(acme, "delete_time_entry", "member"), acme["owner"]
    page = owner.browser().get(address(entry)).content.decode()
    name = acme["member"].member.name
    assert f"Ask {name} to restore it" in page
    assert "create_time_entry" in page
    assert owner.browser().post(address(entry)).status_code == 409
    assert not Restore.objects.exists()


def test_a_running_timer_is_not_started_again(acme: Town) -> None:
    started = {"startedAt": "2026-03-02T09:00:00Z", "durationSeconds": 60, "entryDate": "2026-03-02"}
    project = acme["owner"].caller.list("/projects")[0]["id"]
    entry = destroyed(acme["owner"], "delete_time_entry", "/time-entries", {**started, "projectId": project})
    browser = acme["owner"].browser()
    assert "not started again" in browser.get(address(entry)).content.decode()
    assert browser.post(address(entry)).status_code == 302
    back = acme["owner"].caller.get(f"/time-entries/{Restore.objects.get().record_id}").json()["data"]
    assert (back["startedAt"], back["durationSeconds"]) == (None, 60)


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (sanitize_snapshot({"name": "Umbrella", "notes": "x" * 70_000}), "shortened in the snapshot"),
        ({"name": "Umbrella", "notes": "token hsk_live_4f8a2c1bdedf_••••"}, "masked in the snapshot"),
        ({"name": "Umbrella", "notes": "…"}, "left out of the snapshot"),
        ({"name": "Umbrella", "defaultPaymentTerms": -3}, "The API would refuse it"),
    ],
)
def test_an_optional_field_that_is_not_whole_is_left_out_and_named(
    acme: Town, snapshot: dict[str, Any], said: str
) -> None:
    entry = make_audit(acme["owner"].token, snapshot=snapshot)
    browser = acme["owner"].browser()
    assert said in browser.get(address(entry)).content.decode()
    assert browser.post(address(entry)).status_code == 302
    back = acme["owner"].caller.get(f"/clients/{Restore.objects.get().record_id}").json()["data"]
    assert (back["name"], back["notes"], back["defaultPaymentTerms"]) == ("Umbrella", None, None)


@pytest.mark.parametrize(
    ("snapshot", "fault", "said"),
    [
        (None, "switched_off", "snapshots were off"),
        (None, "upstream_timeout", "did not respond in time"),
        ({"email": "a@b.example", "…": "19 more"}, "", "does not hold what it needs: Name"),
        ({"name": "…"}, "", "does not hold what it needs: Name"),
        ({"name": "hsk_live_4f8a2c1bdedf_••••"}, "", "does not hold what it needs: Name"),
    ],
)
def test_without_a_required_field_nothing_is_sent(
    acme: Town, snapshot: dict[str, Any] | None, fault: str, said: str
) -> None:
    entry, before = make_audit(acme["owner"].token, snapshot=snapshot, snapshot_fault=fault), Token.objects.count()
    browser = acme["owner"].browser()
    page = browser.get(address(entry)).content.decode()
    assert said in page
    assert '<button class="button primary">Restore' not in page
    assert browser.post(address(entry)).status_code == 409
    assert Token.objects.count() == before
    assert not Restore.objects.exists()


@pytest.mark.parametrize(("result", "status"), [("refused", 403), (None, 0)])
def test_what_was_refused_or_is_in_progress_is_not_restored(acme: Town, result: str | None, status: int) -> None:
    entry = make_audit(acme["owner"].token, snapshot={"name": "Umbrella"}, result=result, status=status)
    browser = acme["owner"].browser()
    assert "Can’t be restored here" in browser.get(address(entry)).content.decode()
    assert browser.post(address(entry)).status_code == 409
    assert not Restore.objects.exists()


def test_after_an_uncertain_deletion_somebody_looks_first(acme: Town) -> None:
    entry = make_audit(
        acme["owner"].token, snapshot={"name": "Umbrella"}, result="failed", status=504, code="upstream_timeout"
    )
    browser = acme["owner"].browser()
    assert browser.post(address(entry)).status_code == 400
    assert not Restore.objects.exists()
    assert browser.post(address(entry), {"gone": "yes"}).status_code == 302


def test_an_unwritable_audit_log_lets_nothing_be_sent(acme: Town, request: pytest.FixtureRequest) -> None:
    entry, browser = deleted(acme, "delete_client"), acme["owner"].browser()
    request.getfixturevalue("audit_unavailable")
    assert browser.post(address(entry)).status_code == 503
    assert not Restore.objects.exists()
    assert "Umbrella" not in [row["name"] for row in acme["owner"].caller.list("/clients")]


def test_re_authentication_comes_first_and_an_auditor_restores_nothing(acme: Town) -> None:
    entry = deleted(acme, "delete_client")
    user = acme["owner"].member.user
    assert user is not None
    late = Client()
    late.force_login(user)
    assert "reauthenticate" in late.get(address(entry))["Location"]
    manager = acme["manager"].member
    manager.is_auditor = True
    manager.save()
    for method in ("get", "post"):
        assert getattr(acme["manager"].browser(), method)(address(entry)).status_code == 403
    assert not Restore.objects.exists()
