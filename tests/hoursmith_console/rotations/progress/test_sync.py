"""What the bridge saw moves a rotation on, once and never back; what it did not see does not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from hoursmith_console.connections.models import Connection
from hoursmith_console.jobs.scheduler import sync_rotations
from hoursmith_console.rotations.actions import (
    confirm_all_targets,
    confirm_target,
    mark_target_unused,
    revoke_old_token,
)
from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome, RotationTarget
from hoursmith_console.rotations.new_token import choose_new_token, new_token_candidates, unowned_arrivals
from hoursmith_console.rotations.progress.evidence import Evidence, evidence_of
from hoursmith_console.rotations.progress.sync import sync_rotation
from hoursmith_console.rotations.services import RotationError, cancel_rotation, start_rotation
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedClient, ObservedConnection, ObservedToken, TokenNotice
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_refusal, make_token
from tests.hoursmith_console.rotations.test_services import events

NEW = "f" * 12
Began = Callable[..., Rotation]
# The rotation is asked for an hour ago, so that what happens in a test happens after it.
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _hosted(settings: Any) -> None:
    settings.SANDBOX_MODE = False
    settings.IDENTITY_TTL_S = 1.0


@pytest.fixture
def began(cast: Cast) -> Began:
    """A rotation of the manager's token, which Cursor uses, and Claude Code on a connection."""
    token = cast.tokens["manager"]
    Connection.objects.create(
        workspace=cast.workspace,
        owner=cast.people["manager"],
        slug="ana-laptop",
        client="claude-code",
        label="Claude Code on Ana’s laptop",
    )
    make_client(token, name="Cursor", last_seen_at=timezone.now() - 2 * HOUR)
    make_client(token, name="claude-code", connection="ana-laptop", last_seen_at=timezone.now() - 2 * HOUR)
    ObservedToken.objects.update(last_used_at=timezone.now() - 2 * HOUR)

    def start(kind: RotationKind = RotationKind.PLANNED, *, successor: bool = True) -> Rotation:
        rotation = start_rotation(env=token.env, prefix=token.prefix, workspace=cast.workspace, kind=kind, actor="Ana")
        Rotation.objects.filter(pk=rotation.pk).update(requested_at=timezone.now() - HOUR)
        if successor:
            show(cast, rotation, NEW)
        rotation.refresh_from_db()
        return rotation

    return start


def show(cast: Cast, rotation: Rotation, prefix: str, who: str = "manager") -> None:
    """Verify a token and choose it as the new one."""
    claim = claim_token(env="live", prefix=prefix, member=cast.people[who], source="verified")
    choose_new_token(rotation=rotation, member=cast.people[who], claim=claim)


def use(cast: Cast, prefix: str, name: str, connection: str = "", at: datetime | None = None) -> None:
    """An accepted call."""
    at = at or timezone.now()
    token = ObservedToken.objects.filter(prefix=prefix).first()
    token = token or make_token(cast.org_id, prefix, first_used_at=at, name="new one")
    ObservedToken.objects.filter(pk=token.pk).update(last_used_at=at)
    seen = {"last_seen_at": at, "first_seen_at": at}
    ObservedClient.objects.update_or_create(
        token=token, name=name, version="1", connection=connection, defaults={"last_seen_at": at}, create_defaults=seen
    )


def look(rotation: Rotation, later: timedelta = timedelta(0)) -> Evidence:
    return sync_rotation(rotation=rotation, now=timezone.now() + later)


def target_of(rotation: Rotation, label: str) -> RotationTarget:
    return rotation.targets.get(label__startswith=label)


def test_targets_are_labelled_like_their_connections(began: Began) -> None:
    assert {each.label for each in began().targets.all()} == {"Cursor", "Claude Code on Ana’s laptop"}


def test_the_new_token_is_seen_once_it_worked_everywhere(cast: Cast, began: Began) -> None:
    rotation = began()
    use(cast, NEW, "claude-code", "ana-laptop")
    assert [each.target.label for each in look(rotation).remaining] == ["Cursor"]
    assert rotation.verified_at is None
    use(cast, NEW, "Cursor")
    assert look(rotation).remaining == []
    seen = rotation.verified_at
    assert seen is not None
    assert not TokenNotice.objects.filter(ended_at=None).exists()
    look(rotation, HOUR)
    assert rotation.verified_at == seen


def test_a_greeting_on_its_connection_is_work_too(cast: Cast, began: Began) -> None:
    rotation = began()
    ObservedConnection.objects.create(
        slug="ana-laptop",
        org_id=cast.org_id,
        env="live",
        prefix=NEW,
        last_method="tools/list",
        last_seen_at=timezone.now(),
    )
    found = next(each for each in look(rotation).targets if each.target.connection)
    assert found.new is not None
    assert (found.is_done, found.new.doing) == (True, "called tools/list")


def test_the_same_assistant_without_its_connection_is_another(cast: Cast, began: Began) -> None:
    rotation = began()
    use(cast, NEW, "claude-code")
    assert len(look(rotation).remaining) == 2


def test_a_name_is_enough_where_there_was_no_connection(cast: Cast, began: Began) -> None:
    rotation = began()
    use(cast, NEW, "Cursor", "a-new-address")
    assert [each.target.label for each in look(rotation).remaining] == ["Claude Code on Ana’s laptop"]


def test_an_assistant_that_falls_back_to_the_old_token_lags_until_it_is_fixed(cast: Cast, began: Began) -> None:
    rotation = began()
    use(cast, NEW, "claude-code", "ana-laptop")
    use(cast, NEW, "Cursor", at=timezone.now() - timedelta(minutes=5))
    use(cast, rotation.prefix, "Cursor", at=timezone.now() - timedelta(minutes=1))
    lagging = look(rotation).remaining
    assert [(each.target.label, each.is_lagging) for each in lagging] == [("Cursor", True)]
    assert rotation.verified_at is None
    confirm_target(target=target_of(rotation, "Cursor"), member=cast.people["manager"])
    assert look(rotation).remaining == []
    assert rotation.verified_at is not None
    # Seen is seen: another slip is told, and takes nothing back.
    use(cast, rotation.prefix, "Cursor", at=timezone.now() + timedelta(minutes=1))
    assert look(rotation).remaining[0].is_lagging
    assert rotation.verified_at is not None


def test_an_assistant_marked_as_unused_is_not_waited_for(cast: Cast, began: Began) -> None:
    rotation = began()
    use(cast, NEW, "claude-code", "ana-laptop")
    mark_target_unused(target=target_of(rotation, "Cursor"), member=cast.people["manager"])
    look(rotation)
    assert rotation.verified_at is not None
    assert [action for action, _ in events()] == ["start", "successor", "give_up"]


def test_giving_everything_up_proves_nothing(cast: Cast, began: Began) -> None:
    rotation = began()
    for each in rotation.targets.all():
        mark_target_unused(target=each, member=cast.people["manager"])
    look(rotation)
    assert rotation.verified_at is None
    assert rotation.updated_at is not None


def test_an_assistant_that_appears_late_gets_a_target(cast: Cast, began: Began) -> None:
    rotation = began()
    use(cast, rotation.prefix, "n8n")
    assert "n8n" in [each.target.label for each in look(rotation).remaining]
    assert rotation.targets.filter(label="n8n").exists()


def test_a_planned_rotation_ends_when_the_old_token_is_forgotten(cast: Cast, began: Began, settings: Any) -> None:
    settings.ROTATION_QUIET_HOURS = 24
    rotation = began()
    use(cast, NEW, "claude-code", "ana-laptop")
    use(cast, NEW, "Cursor")
    look(rotation)
    revoke_old_token(rotation=rotation, member=cast.people["manager"])
    make_refusal(cast.tokens["manager"], client_name="Cursor", last_at=timezone.now() + 10 * HOUR)
    # Whoever knows the prefix can send this every minute.
    for hours in (11, 20, 34):
        last_at = timezone.now() + hours * HOUR
        make_refusal(cast.tokens["manager"], client_name=f"Claude {hours}", last_at=last_at, matches_token=False)
    rotation.refresh_from_db()
    look(rotation, 33 * HOUR)
    assert rotation.confirmed_unused_at is None
    look(rotation, 35 * HOUR)
    assert (rotation.outcome, rotation.ended_by) == (RotationOutcome.DONE, "")
    assert events()[-1] == ("finish", "")


def test_a_leaked_rotation_ends_when_the_new_token_works_and_late_attempts_stay_listed(
    cast: Cast, began: Began
) -> None:
    rotation = began(RotationKind.LEAKED)
    revoke_old_token(rotation=rotation, member=cast.people["manager"])
    use(cast, NEW, "claude-code", "ana-laptop")
    use(cast, NEW, "Cursor")
    make_refusal(cast.tokens["manager"], connection="ana-laptop", client_name="", last_at=timezone.now() + HOUR)
    rotation.refresh_from_db()
    found = look(rotation)
    assert rotation.outcome == RotationOutcome.DONE
    assert [late_use.label for late_use in found.late_uses_after(rotation.revoked_at)] == [
        "Claude Code on Ana’s laptop"
    ]


def test_a_token_that_hoursmith_still_accepts_is_not_revoked_by_a_report(cast: Cast, began: Began) -> None:
    rotation = began(RotationKind.LEAKED)
    revoke_old_token(rotation=rotation, member=cast.people["manager"])
    rotation.refresh_from_db()
    use(cast, NEW, "claude-code", "ana-laptop")
    use(cast, NEW, "Cursor")
    use(cast, rotation.prefix, "Cursor", at=timezone.now() + timedelta(minutes=1))
    confirm_target(target=target_of(rotation, "Cursor"), member=cast.people["manager"])
    RotationTarget.objects.filter(rotation=rotation).update(confirmed_at=timezone.now() + timedelta(minutes=2))
    found = look(rotation)
    assert found.is_accepted_after(rotation.revoked_at)
    assert rotation.verified_at is not None
    assert rotation.ended_at is None


def test_a_planned_rotation_does_not_revoke_before_the_new_token_was_seen(cast: Cast, began: Began) -> None:
    rotation = began()
    with pytest.raises(RotationError, match="not verified"):
        revoke_old_token(rotation=rotation, member=cast.people["manager"])
    confirm_all_targets(rotation=rotation, member=cast.people["manager"])
    with pytest.raises(RotationError, match="not verified"):
        revoke_old_token(rotation=rotation, member=cast.people["manager"])


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        ("itself", "the old token"),
        ("a colleague's", "not verified as yours"),
        ("another workspace's", "not verified as yours"),
        ("one used before", "in use before this rotation started"),
        ("a revoked one", "revoked in another rotation"),
        ("another's successor", "already replaces another token"),
        ("one of another role", "role OWNER, but yours is MANAGER"),
    ],
)
def test_a_token_that_cannot_be_the_new_one_is_refused(cast: Cast, began: Began, whose: str, said: str) -> None:
    rotation, manager = began(successor=False), cast.people["manager"]
    old = make_token(cast.org_id, "d" * 12)
    claim_token(env="live", prefix=old.prefix, member=manager, source="verified")
    other = start_rotation(
        env="live", prefix=old.prefix, workspace=cast.workspace, kind=RotationKind.LEAKED, actor="Ana"
    )
    revoke_old_token(rotation=other, member=manager)
    ObservedToken.objects.filter(prefix=old.prefix).update(first_used_at=timezone.now())
    show(cast, other, "e" * 12)
    use(cast, "1" * 12, "Cursor", at=timezone.now() - 2 * HOUR)
    use(cast, "2" * 12, "Cursor")
    ObservedToken.objects.filter(prefix="2" * 12).update(role="OWNER")
    prefix = {
        "itself": rotation.prefix,
        "a colleague's": cast.tokens["owner"].prefix,
        "another workspace's": cast.tokens["outsider"].prefix,
        "one used before": "1" * 12,
        "a revoked one": old.prefix,
        "another's successor": "e" * 12,
        "one of another role": "2" * 12,
    }[whose]
    with pytest.raises(RotationError, match=said):
        show(cast, rotation, prefix)
    rotation.refresh_from_db()
    assert rotation.new_prefix == ""


@pytest.mark.parametrize("who", ["owner", "admin", "member", "outsider"])
def test_only_the_owner_chooses_the_new_token(cast: Cast, began: Began, who: str) -> None:
    rotation = began(successor=False)
    with pytest.raises(RotationError, match="Only the owner"):
        show(cast, rotation, NEW, who)


def test_a_cancelled_rotation_frees_its_new_token(cast: Cast, began: Began) -> None:
    rotation = began()
    cancel_rotation(rotation=rotation, actor="Ana")
    again = start_rotation(
        env="live", prefix=rotation.prefix, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="Ana"
    )
    show(cast, again, NEW)
    again.refresh_from_db()
    assert (again.new_prefix, again.pk == rotation.pk) == (NEW, False)


def test_a_token_of_another_workspace_is_no_evidence(cast: Cast, began: Began) -> None:
    rotation = began()
    foreign = make_token(cast.other.org_id, NEW)
    make_client(foreign, name="Cursor")
    make_client(foreign, name="claude-code", connection="ana-laptop")
    found = look(rotation)
    assert (found.new_token, len(found.remaining)) == (None, 2)
    assert rotation.verified_at is None


def test_what_came_up_where_the_old_token_was_is_shown_to_who_may_see_it(cast: Cast, began: Began) -> None:
    rotation = began(successor=False)
    use(cast, "1" * 12, "Zed")
    use(cast, "2" * 12, "Cursor")
    use(cast, "3" * 12, "anything", "ana-laptop")
    use(cast, "4" * 12, "Cursor", at=timezone.now() - 2 * HOUR)
    use(cast, "5" * 12, "Cursor")
    claim_token(env="live", prefix="5" * 12, member=cast.people["admin"], source="claimed")
    use(cast, "6" * 12, "Cursor")
    ObservedToken.objects.filter(prefix="6" * 12).update(role="OWNER")
    seen = {
        who: [token.prefix for token in unowned_arrivals(Viewer(cast.people[who], []), rotation)] for who in cast.people
    }
    nothing: list[str] = []
    reviewed = ["3" * 12, "2" * 12]
    assert seen == {"owner": reviewed, "admin": reviewed, "manager": nothing, "member": nothing, "outsider": nothing}


def test_only_tokens_that_the_owner_showed_are_offered(cast: Cast, began: Began) -> None:
    rotation = began(successor=False)
    manager = cast.people["manager"]
    use(cast, "1" * 12, "Zed")
    use(cast, "2" * 12, "Cursor")
    claim_token(env="live", prefix="1" * 12, member=manager, source="verified")
    claim_token(env="live", prefix="2" * 12, member=cast.people["admin"], source="verified")
    assert [each.claim.prefix for each in new_token_candidates(rotation, manager)] == ["1" * 12]


def test_whose_token_it_is_is_learned_from_the_claim(cast: Cast) -> None:
    make_token(cast.org_id, "c" * 12)
    rotation = start_rotation(
        env="live", prefix="c" * 12, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="Ana"
    )
    claim_token(env="live", prefix="c" * 12, member=cast.people["member"], source="claimed")
    look(rotation)
    assert rotation.owner_name == "Member Person"


def test_the_watch_moves_rotations_on_and_then_has_nothing_to_do(
    cast: Cast, began: Began, django_assert_max_num_queries: Any
) -> None:
    rotation = began()
    use(cast, NEW, "claude-code", "ana-laptop")
    assert sync_rotations() == 1
    assert target_of(rotation, "Claude").seen_at is not None
    with django_assert_max_num_queries(8):
        assert sync_rotations() == 0


def test_many_rotations_are_looked_at_as_cheaply_as_one(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        token = make_token(cast.org_id, f"{number:012x}")
        make_client(token)
        make_refusal(token)
        start_rotation(
            env="live", prefix=token.prefix, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="Ana"
        )
    rotations = list(Rotation.objects.select_related("workspace"))
    with django_assert_max_num_queries(7):
        assert len(evidence_of(rotations)) == 20
