"""In a rotation, an assistant that signed in is an assistant like any other: connected again, it is seen at work."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.new_token import choose_new_token
from hoursmith_console.rotations.progress.evidence import Evidence
from hoursmith_console.rotations.progress.sync import sync_rotation
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.rotations.wizard.setups import setups_of
from hoursmith_console.tokens.services import claim_token
from mcpbridge.models import EndReason, Grant, ObservedClient, ObservedToken
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_grant, make_token

NEW = "f" * 12
HOUR = timedelta(hours=1)
Start = Callable[..., Rotation]


@pytest.fixture(autouse=True)
def _hosted(settings: Any) -> None:
    settings.SANDBOX_MODE = False
    settings.IDENTITY_TTL_S = 1.0


@pytest.fixture
def start(cast: Cast) -> Start:
    """Starts a rotation of the manager's token an hour ago, and chooses the new token."""
    token = cast.tokens["manager"]
    ObservedToken.objects.update(last_used_at=timezone.now() - 2 * HOUR)

    def started(kind: RotationKind = RotationKind.PLANNED) -> Rotation:
        rotation = start_rotation(env="live", prefix=token.prefix, workspace=cast.workspace, kind=kind, actor="Ana")
        Rotation.objects.filter(pk=rotation.pk).update(requested_at=timezone.now() - HOUR)
        claim = claim_token(env="live", prefix=NEW, member=cast.people["manager"], source="verified")
        choose_new_token(rotation=rotation, member=cast.people["manager"], claim=claim)
        rotation.refresh_from_db()
        return rotation

    return started


def old_grant(cast: Cast, **more: Any) -> Grant:
    return make_grant(cast.tokens["manager"], ago=3 * HOUR, **more)


def call(cast: Cast, prefix: str, connection: str) -> None:
    """A call with the token, as the grant with this connection."""
    now = timezone.now()
    token = ObservedToken.objects.filter(prefix=prefix).first() or make_token(cast.org_id, prefix, role="MANAGER")
    ObservedToken.objects.filter(pk=token.pk).update(last_used_at=now)
    make_client(token, name="claude-ai", connection=connection, first_seen_at=now, last_seen_at=now)


def connected_again(cast: Cast, old: Grant, **more: Any) -> Grant:
    """The grant of the new token, after the assistant was connected again."""
    token = ObservedToken(env="live", prefix=NEW, org_id=cast.org_id, role="MANAGER")
    return make_grant(token, ago=timedelta(0), **{"client_name": old.client_name, **more})


def look(rotation: Rotation) -> Evidence:
    return sync_rotation(rotation=rotation, now=timezone.now())


def test_an_assistant_that_never_called_has_the_token_too(cast: Cast, start: Start) -> None:
    grant = old_grant(cast)
    target = start().targets.get()
    assert (target.connection, target.label) == (grant.connection, "Claude (claude.ai)")


def test_one_whose_access_is_over_is_none(cast: Cast, start: Start) -> None:
    for over in ({"ended_at": timezone.now() - HOUR}, {"expires_at": timezone.now() - HOUR}):
        grant = old_grant(cast, **over)
        make_client(
            cast.tokens["manager"], name="x", connection=grant.connection, last_seen_at=timezone.now() - 2 * HOUR
        )
    assert not start().targets.exists()


def test_connected_again_it_is_done_when_it_calls_with_the_new_token(cast: Cast, start: Start) -> None:
    grant = old_grant(cast)
    rotation = start()
    again = connected_again(cast, grant)
    assert again.connection != grant.connection
    # Allowed, but not seen at work.
    assert [each.is_done for each in look(rotation).targets] == [False]
    call(cast, NEW, again.connection)
    evidence = look(rotation)
    assert [each.is_done for each in evidence.targets] == [True]
    assert evidence.targets[0].new is not None
    assert rotation.verified_at is not None


def test_its_use_of_the_old_token_afterwards_shows(cast: Cast, start: Start) -> None:
    grant = old_grant(cast)
    rotation = start()
    call(cast, NEW, connected_again(cast, grant).connection)
    look(rotation)
    call(cast, cast.tokens["manager"].prefix, grant.connection)
    assert [each.is_lagging for each in look(rotation).targets] == [True]


@pytest.mark.parametrize("other", [{"client_name": "ChatGPT"}, {"client_host": ""}, {"client_host": "x.com"}])
def test_another_assistant_with_the_new_token_is_not_it(cast: Cast, start: Start, other: dict[str, str]) -> None:
    grant = old_grant(cast)
    rotation = start()
    call(cast, NEW, connected_again(cast, grant, **other).connection)
    assert [each.target.connection for each in look(rotation).remaining] == [grant.connection]


def test_two_of_a_kind_are_connected_again_one_by_one(cast: Cast, start: Start) -> None:
    first, second = old_grant(cast), old_grant(cast)
    rotation = start()
    assert rotation.targets.count() == 2
    call(cast, NEW, connected_again(cast, first).connection)
    assert len(look(rotation).remaining) == 1
    call(cast, NEW, connected_again(cast, second).connection)
    assert look(rotation).remaining == []


def test_nothing_of_another_workspace_counts(cast: Cast, start: Start) -> None:
    grant = old_grant(cast)
    rotation = start()
    foreign = ObservedToken(env="live", prefix=NEW, org_id=cast.other.org_id, role="OWNER")
    call(cast, NEW, make_grant(foreign, client_name="Claude").connection)
    assert [each.target.connection for each in look(rotation).remaining] == [grant.connection]


def test_one_authorized_with_the_old_token_during_the_rotation_joins_it(cast: Cast, start: Start) -> None:
    rotation = start()
    assert not rotation.targets.exists()
    late = make_grant(cast.tokens["manager"], ago=timedelta(minutes=5), client_name="ChatGPT")
    assert [each.target.connection for each in look(rotation).targets] == [late.connection]


def test_it_is_told_to_connect_again_instead_of_a_configuration(cast: Cast, start: Start) -> None:
    grant = old_grant(cast)
    rotation = start()
    (setup,) = setups_of(rotation)
    assert (setup.grant, setup.setup) == (grant, None)
    assert setup.address.endswith("/mcp")


def test_an_old_grant_that_ended_meanwhile_is_still_matched(cast: Cast, start: Start) -> None:
    grant = old_grant(cast)
    rotation = start(RotationKind.LEAKED)
    Grant.objects.filter(pk=grant.pk).update(ended_at=timezone.now(), ended_why=EndReason.TOKEN_REVOKED)
    call(cast, NEW, connected_again(cast, grant).connection)
    assert look(rotation).remaining == []
    assert ObservedClient.objects.filter(connection=grant.connection).count() == 0
