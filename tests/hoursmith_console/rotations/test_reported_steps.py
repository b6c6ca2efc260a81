"""Steps that members report are shown as reported, checked against evidence, and can be undone until the end."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from hoursmith_console import rotations
from hoursmith_console.audit.descriptions import describe_event
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.rotations.actions import mark_target_unused, revoke_old_token
from hoursmith_console.rotations.claims import release_claim
from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.new_token import choose_new_token
from hoursmith_console.rotations.offboarding import active_tokens_of, offboarding_summary
from hoursmith_console.rotations.progress.sync import sync_rotation
from hoursmith_console.rotations.services import (
    RotationError,
    assign_owner,
    cancel_rotation,
    finish_rotation,
    start_rotation,
)
from hoursmith_console.rotations.undo import resume_rotation, undo_new_token, undo_revocation, undo_target
from hoursmith_console.token_issuer.claims import ClaimError
from hoursmith_console.token_policy.evaluation import active
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import claim_token
from mcpbridge.models import AuditEvent, ObservedToken, TokenNotice
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_refusal, make_token
from tests.hoursmith_console.rotations.test_services import events

Browse = Callable[[str], Client]
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _hosted(settings: Any) -> None:
    settings.SANDBOX_MODE = False
    settings.IDENTITY_TTL_S = 1.0


@pytest.fixture
def said(cast: Cast) -> Rotation:
    """A leaked rotation whose token the member reported as revoked an hour ago; it was used before."""
    token, member = cast.tokens["member"], cast.people["member"]
    make_client(token, name="Cursor")
    ObservedToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() - timedelta(hours=2))
    token.clients.update(last_seen_at=timezone.now() - timedelta(hours=2))
    rotation = start_rotation(
        env="live",
        prefix=token.prefix,
        workspace=cast.workspace,
        kind=RotationKind.OFFBOARDING,
        actor=member.display_identity,
    )
    revoke_old_token(rotation=rotation, member=member)
    Rotation.objects.filter(pk=rotation.pk).update(
        requested_at=timezone.now() - timedelta(hours=3), revoked_at=timezone.now() - timedelta(hours=1)
    )
    rotation.refresh_from_db()
    return rotation


def still_works(cast: Cast) -> None:
    ObservedToken.objects.filter(pk=cast.tokens["member"].pk).update(last_used_at=timezone.now() - MINUTE)


def look(rotation: Rotation, later: timedelta = timedelta(0)) -> None:
    rotation.refresh_from_db()
    sync_rotation(rotation=rotation, now=timezone.now() + later)
    rotation.refresh_from_db()


def test_a_report_alone_does_not_end_a_rotation(said: Rotation) -> None:
    look(said)
    assert (said.ended_at, said.is_revocation_reported, said.revoked_by and said.revoked_by.name) == (
        None,
        True,
        "Member Person",
    )


@pytest.mark.parametrize("evidence", ["refused", "quiet"])
def test_a_rejection_by_hoursmith_or_a_quiet_day_ends_it(cast: Cast, said: Rotation, evidence: str) -> None:
    if evidence == "refused":
        make_refusal(cast.tokens["member"], last_at=timezone.now() - MINUTE)
        look(said)
    else:
        look(said, timedelta(hours=22))
        assert said.ended_at is None
        look(said, timedelta(hours=23))
    assert (said.outcome, said.ended_by) == (RotationOutcome.DONE, "")


def test_a_token_that_still_calls_stays_in_use_everywhere(cast: Cast, said: Rotation, browse: Browse) -> None:
    member, owner = cast.people["member"], browse("owner")
    key = ("live", said.prefix)
    assert (key in active_tokens_of(member), [each.pk for each in offboarding_summary(member).reported]) == (
        False,
        [said.pk],
    )
    assert said.prefix not in owner.get("/tokens/?state=current").content.decode()
    assert not active(ObservedToken.objects.filter(prefix=said.prefix)).exists()
    still_works(cast)
    look(said)
    assert said.ended_at is None
    assert (key in active_tokens_of(member), list(offboarding_summary(member).reported)) == (True, [])
    assert active(ObservedToken.objects.filter(prefix=said.prefix)).exists()
    listed = owner.get("/tokens/?state=current").content.decode()
    assert said.prefix in listed
    assert "reported as revoked, still accepted" in listed
    assert "Hoursmith still accepts this token" in owner.get(f"/tokens/{cast.tokens['member'].pk}/").content.decode()
    page = owner.get(f"/rotations/{said.pk}/").content.decode()
    assert "Hoursmith still accepts the old token" in page
    assert "Member Person reported on" in strip_tags(page)
    assert "You reported on" in browse("member").get(f"/rotations/{said.pk}/").content.decode()


def test_it_stays_in_use_also_where_the_rotation_has_ended(cast: Cast, said: Rotation, browse: Browse) -> None:
    make_refusal(cast.tokens["member"], last_at=timezone.now() - 2 * MINUTE)
    look(said)
    assert said.ended_at is not None
    still_works(cast)
    assert ("live", said.prefix) in active_tokens_of(cast.people["member"])
    page = browse("owner").get(f"/rotations/{said.pk}/").content.decode()
    assert "The rotation has ended, but Hoursmith still accepts the old token" in page
    assert "old token still accepted" in browse("owner").get("/rotations/").content.decode()


def test_a_rotation_cannot_be_finished_against_the_evidence(cast: Cast, said: Rotation) -> None:
    still_works(cast)
    with pytest.raises(RotationError, match="still accepts the old token"):
        finish_rotation(rotation=said, actor="Ana")
    make_refusal(cast.tokens["member"], last_at=timezone.now())
    finish_rotation(rotation=said, actor="Ana")


def test_the_audit_log_tells_reported_from_done(said: Rotation) -> None:
    assert [action for action, _ in events()] == ["start", "revoke_said"]


def test_every_action_on_a_rotation_has_a_description_in_the_audit_log() -> None:
    folder = Path(rotations.__file__).parent
    code = "\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    written = set(re.findall(r'record_rotation_event\(\w+, "(\w+)"', code))
    for line in re.findall(r"^ +action = (.*)$", code, re.MULTILINE):
        written.update(re.findall(r'"(\w+)"(?= if| else|$)', line))
    assert {"start", "escalate", "revoke_said", "successor_take_back", "resume", "finish", "abandon"} <= written
    for action in written:
        event = describe_event(AuditEvent(tool=f"console.rotation_{action}", target_id="x"))
        assert not event.predicate.startswith("did "), action


def test_a_reported_revocation_is_undone(cast: Cast, said: Rotation) -> None:
    undo_revocation(rotation=said, member=cast.people["member"])
    said.refresh_from_db()
    assert (said.revoked_at, said.revoked_by, said.is_revocation_reported) == (None, None, False)
    assert TokenNotice.objects.filter(prefix=said.prefix, ended_at=None).exists()
    assert ("live", said.prefix) in active_tokens_of(cast.people["member"])
    with pytest.raises(RotationError, match="nothing to undo"):
        undo_revocation(rotation=said, member=cast.people["member"])
    assert events()[-1] == ("revoke_take_back", cast.people["member"].display_identity)


def test_a_revocation_by_the_console_cannot_be_undone(cast: Cast, said: Rotation) -> None:
    Rotation.objects.update(is_revocation_reported=False)
    with pytest.raises(RotationError, match="nothing to undo"):
        undo_revocation(rotation=said, member=cast.people["member"])


@pytest.fixture
def replaced(cast: Cast) -> Rotation:
    """A rotation of the manager's token whose new token was used already."""
    token, manager = cast.tokens["manager"], cast.people["manager"]
    before = timezone.now() - timedelta(hours=2)
    make_client(token, name="Cursor", last_seen_at=before)
    ObservedToken.objects.filter(pk=token.pk).update(last_used_at=before)
    rotation = start_rotation(
        env="live",
        prefix=token.prefix,
        workspace=cast.workspace,
        kind=RotationKind.PLANNED,
        actor=manager.display_identity,
    )
    Rotation.objects.update(requested_at=timezone.now() - timedelta(hours=1))
    rotation.refresh_from_db()
    new = make_token(cast.org_id, "e" * 12, first_used_at=timezone.now() - MINUTE)
    make_client(new, name="Cursor")
    claim = claim_token(env="live", prefix=new.prefix, member=manager, source="verified")
    choose_new_token(rotation=rotation, member=manager, claim=claim)
    look(rotation)
    assert rotation.verified_at is not None
    return rotation


def test_a_wrong_new_token_is_replaced_with_everything_observed_of_it(cast: Cast, replaced: Rotation) -> None:
    manager = cast.people["manager"]
    claim = claim_token(env="live", prefix="f" * 12, member=manager, source="verified")
    choose_new_token(rotation=replaced, member=manager, claim=claim)
    look(replaced)
    assert (replaced.new_prefix, replaced.verified_at, replaced.updated_at) == ("f" * 12, None, None)
    assert not replaced.targets.exclude(seen_at=None).exists()
    undo_new_token(rotation=replaced, member=manager)
    replaced.refresh_from_db()
    assert (replaced.new_prefix, replaced.minted_at) == ("", None)
    assert [action for action, _ in events()][-2:] == ["successor", "successor_take_back"]


def test_a_cancelled_rotation_resumes_where_it_was(cast: Cast, replaced: Rotation) -> None:
    manager = cast.people["manager"]
    cancel_rotation(rotation=replaced, actor=manager.display_identity)
    resume_rotation(rotation=replaced, member=manager)
    assert (replaced.ended_at, replaced.new_prefix, replaced.verified_at is None) == (None, "e" * 12, False)
    with pytest.raises(RotationError, match="not cancelled"):
        resume_rotation(rotation=replaced, member=manager)


def test_it_resumes_without_a_new_token_that_another_rotation_uses(cast: Cast, replaced: Rotation) -> None:
    manager = cast.people["manager"]
    cancel_rotation(rotation=replaced, actor=manager.display_identity)
    other = make_token(cast.org_id, "d" * 12)
    claim_token(env="live", prefix=other.prefix, member=manager, source="verified")
    second = start_rotation(
        env="live",
        prefix=other.prefix,
        workspace=cast.workspace,
        kind=RotationKind.PLANNED,
        actor=manager.display_identity,
    )
    Rotation.objects.filter(pk=second.pk).update(requested_at=replaced.requested_at)
    choose_new_token(rotation=second, member=manager, claim=TokenClaim.objects.get(prefix="e" * 12))
    resume_rotation(rotation=replaced, member=manager)
    assert (replaced.new_prefix, replaced.verified_at) == ("", None)


def test_a_token_has_one_open_rotation(cast: Cast, replaced: Rotation) -> None:
    manager = cast.people["manager"]
    cancel_rotation(rotation=replaced, actor=manager.display_identity)
    start_rotation(
        env="live",
        prefix=replaced.prefix,
        workspace=cast.workspace,
        kind=RotationKind.PLANNED,
        actor=manager.display_identity,
    )
    with pytest.raises(RotationError, match="in progress"):
        resume_rotation(rotation=replaced, member=manager)


def test_an_assistant_marked_as_unused_is_in_use_again(cast: Cast, said: Rotation) -> None:
    target, member = said.targets.get(), cast.people["member"]
    mark_target_unused(target=target, member=member)
    undo_target(target=target, member=member)
    target.refresh_from_db()
    assert (target.unused_at, target.confirmed_at) == (None, None)


def test_a_claim_decides_over_an_admins_word(cast: Cast) -> None:
    make_token(cast.org_id, "c" * 12)
    rotation = start_rotation(
        env="live", prefix="c" * 12, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="Ana"
    )
    assign_owner(rotation=rotation, owner=cast.people["admin"], actor="Ana")
    claim = claim_token(env="live", prefix="f" * 12, member=cast.people["admin"], source="verified")
    choose_new_token(rotation=rotation, member=cast.people["admin"], claim=claim)
    claim_token(env="live", prefix="c" * 12, member=cast.people["member"], source="verified")
    look(rotation)
    assert (rotation.owner_name, rotation.is_owner_assigned, rotation.new_prefix) == ("Member Person", False, "")


@pytest.mark.parametrize(
    ("who", "may"), [("owner", True), ("admin", True), ("member", True), ("manager", False), ("outsider", False)]
)
def test_a_squatted_claim_is_released_by_its_member_or_an_admin(cast: Cast, who: str, may: bool) -> None:
    token, thief = cast.tokens["manager"], cast.people["member"]
    TokenClaim.objects.filter(prefix=token.prefix).update(member=thief, source="verified")
    rotation = start_rotation(
        env="live",
        prefix=token.prefix,
        workspace=cast.workspace,
        kind=RotationKind.PLANNED,
        actor=thief.display_identity,
    )
    claim = TokenClaim.objects.get(prefix=token.prefix)
    if not may:
        with pytest.raises(ClaimError):
            release_claim(claim=claim, member=cast.people[who])
        return
    release_claim(claim=claim, member=cast.people[who])
    claim_token(env="live", prefix=token.prefix, member=cast.people["manager"], source="verified")
    look(rotation)
    assert rotation.owner == cast.people["manager"]


def test_a_claim_on_what_the_console_created_is_not_released(cast: Cast) -> None:
    claim = TokenClaim.objects.get(prefix=cast.tokens["member"].prefix)
    for who in ("owner", "member"):
        with pytest.raises(ClaimError):
            release_claim(claim=claim, member=cast.people[who])


def test_offboarding_lists_tokens_without_a_known_owner(cast: Cast, trusted: Browse) -> None:
    member = cast.people["member"]
    for number in range(3):
        make_token(cast.org_id, f"{number}" * 12, role="MEMBER")
    make_token(cast.org_id, "a" * 12, role="ADMIN")
    make_token(cast.other.org_id, "b" * 12, role="MEMBER")
    page = trusted("owner").get(f"/rotations/offboarding/{member.pk}/").content.decode()
    assert "3 tokens with this role have no known owner" in strip_tags(page)
    assert cast.tokens["member"].prefix in page
    assert "all their tokens" not in page + trusted("owner").get("/rotations/offboarding/").content.decode()


def test_a_leak_report_is_open_until_the_token_is_out_of_use(cast: Cast, said: Rotation, browse: Browse) -> None:
    LeakReport.objects.create(workspace=cast.workspace, env="live", prefix=said.prefix, reported_by="Ana")
    assert "reported by" not in browse("owner").get("/rotations/leaked-tokens/").content.decode()
    still_works(cast)
    assert "reported by" in browse("owner").get("/rotations/leaked-tokens/").content.decode()
