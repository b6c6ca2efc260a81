"""Rotations start, are joined, change to leaked and end, each with its audit entry and notices."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.offboarding import offboard_member
from hoursmith_console.rotations.services import (
    RotationError,
    UnknownTokenError,
    assign_owner,
    cancel_rotation,
    finish_rotation,
    latest_rotation,
    start_rotation,
)
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.tokens.services import claim_token
from mcpbridge.audit.console_events import AuditUnavailableError
from mcpbridge.models import AuditEvent, AuditPhase, TokenNotice
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_token

Start = Callable[..., Rotation]


def events() -> list[tuple[str, str]]:
    """Action and actor of each event, the oldest first."""
    rows = AuditEvent.objects.filter(phase=AuditPhase.EVENT).order_by("sequence").values_list("tool", "actor")
    return [(tool.removeprefix("console.rotation_"), actor) for tool, actor in rows]


@pytest.fixture
def start(cast: Cast) -> Start:
    def started(kind: RotationKind = RotationKind.PLANNED, actor: str = "Ana", **more: Any) -> Rotation:
        token = cast.tokens["member"]
        given = {"env": token.env, "prefix": token.prefix, "workspace": cast.workspace, **more}
        return start_rotation(kind=kind, actor=actor, **given)

    return started


def test_a_rotation_names_for_good_what_it_is_about(cast: Cast, start: Start) -> None:
    rotation = start(reason="laptop stolen", due_on=date(2026, 12, 1))
    assert (rotation.owner, rotation.owner_name) == (cast.people["member"], "Member Person")
    assert (rotation.token_name, rotation.role) == ("member's laptop", "MEMBER")
    event = AuditEvent.objects.get()
    assert (event.tool, event.actor, event.note) == ("console.rotation_start", "Ana", "laptop stolen")
    assert (event.prefix, event.target_label) == (rotation.prefix, "member's laptop")
    assert event.arguments["due_on"] == "2026-12-01"


def test_each_assistant_that_recently_used_the_token_gets_a_target(cast: Cast, start: Start) -> None:
    token = cast.tokens["member"]
    make_client(token, name="Cursor", version="1")
    make_client(token, name="Cursor", version="2")
    make_client(token, name="Claude Code", connection="ana-laptop")
    make_client(token, name="mcp-remote", connection="ana-laptop")
    make_client(token, name="n8n", last_seen_at=token.first_used_at.replace(year=2024))
    targets = start().targets.order_by("connection").values_list("connection", "client_name", "client")
    assert [target[:2] for target in targets] == [("", "Cursor"), ("ana-laptop", "")]
    assert targets[0][2] == "cursor"


def test_two_people_who_rotate_the_same_token_meet(start: Start) -> None:
    first = start(actor="Ana")
    assert start(actor="Ben") == first
    assert events() == [("start", "Ana")]


def test_a_planned_rotation_turns_urgent_and_never_back(start: Start) -> None:
    start(actor="Ana")
    assert start(RotationKind.LEAKED, actor="Ben", reason="seen on GitHub").kind == RotationKind.LEAKED
    assert start(RotationKind.PLANNED, actor="Ana").kind == RotationKind.LEAKED
    assert events() == [("start", "Ana"), ("escalate", "Ben")]


def test_an_earlier_day_wins(start: Start) -> None:
    start(due_on=date(2026, 12, 9))
    assert start(due_on=date(2026, 12, 1)).due_on == date(2026, 12, 1)
    assert start(due_on=date(2026, 12, 30)).due_on == date(2026, 12, 1)


@pytest.mark.parametrize("whose", ["outsider", None])
def test_a_token_of_another_workspace_cannot_be_rotated(cast: Cast, start: Start, whose: str | None) -> None:
    prefix = cast.tokens[whose].prefix if whose else "f" * 12
    with pytest.raises(UnknownTokenError):
        start(prefix=prefix)
    assert not Rotation.objects.exists()


@pytest.mark.parametrize("is_told", [True, False])
def test_its_assistants_get_a_notice_until_it_ends(cast: Cast, start: Start, is_told: bool) -> None:
    TokenPolicy.objects.create(workspace=cast.workspace, notices_in_text=is_told)
    rotation = start(actor="Ana Person <ana@example.com>", due_on=date(2026, 12, 1))
    notice = TokenNotice.objects.get(ended_at=None)
    assert (notice.prefix, notice.is_in_text) == (rotation.prefix, is_told)
    assert f"hsk_live_{rotation.prefix}_•••• of this assistant must be rotated by 1 December 2026" in notice.text
    assert "Ana" not in notice.text
    cancel_rotation(rotation=rotation, actor="Ana")
    assert not TokenNotice.objects.filter(ended_at=None).exists()


def test_after_a_cancelled_rotation_a_new_one_can_start(start: Start) -> None:
    first = start()
    cancel_rotation(rotation=first, actor="Ana", note="wrong token")
    first.refresh_from_db()
    assert (first.outcome, first.ended_by) == (RotationOutcome.CANCELLED, "Ana")
    second = start()
    assert second != first
    assert latest_rotation(env=second.env, prefix=second.prefix, workspace=second.workspace) == second
    assert events() == [("start", "Ana"), ("abandon", "Ana"), ("start", "Ana")]
    with pytest.raises(RotationError):
        cancel_rotation(rotation=first, actor="Ana")


def test_a_rotation_whose_old_token_works_is_not_done(start: Start) -> None:
    rotation = start()
    with pytest.raises(RotationError, match="still works"):
        finish_rotation(rotation=rotation, actor="Ana")
    assert events() == [("start", "Ana")]


def test_the_owner_of_an_unowned_token_is_assigned_and_corrected(cast: Cast, start: Start) -> None:
    make_token(cast.org_id, "c" * 12)
    rotation = start(prefix="c" * 12)
    assert rotation.owner is None
    for owner in ("admin", "manager"):
        assign_owner(rotation=rotation, owner=cast.people[owner], actor="Ana")
    assert (rotation.owner_name, rotation.is_owner_assigned) == ("Manager Person", True)
    with pytest.raises(RotationError):
        assign_owner(rotation=rotation, owner=cast.people["outsider"], actor="Ana")


def test_who_owns_a_claimed_token_is_not_for_an_admin_to_say(cast: Cast, start: Start) -> None:
    rotation = start()
    with pytest.raises(RotationError):
        assign_owner(rotation=rotation, owner=cast.people["admin"], actor="Ana")


def test_offboarding_starts_a_rotation_for_each_known_token(cast: Cast) -> None:
    member = cast.people["member"]
    claim_token(env="live", prefix="d" * 12, member=member, source="minted")
    rotations = offboard_member(member=member, actor="Ana", reason="left")
    assert {rotation.prefix for rotation in rotations} == {cast.tokens["member"].prefix, "d" * 12}
    assert {rotation.kind for rotation in rotations} == {RotationKind.OFFBOARDING}
    assert events() == [("start", "Ana")] * 2


@pytest.mark.usefixtures("audit_unavailable")
def test_what_cannot_be_recorded_is_not_done(start: Start) -> None:
    with pytest.raises(AuditUnavailableError):
        start()
    assert not Rotation.objects.exists()
    assert not TokenNotice.objects.exists()
