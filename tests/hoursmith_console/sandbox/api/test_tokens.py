"""Who gets in, and that all who do not get the same answer."""

import re
from datetime import UTC, datetime

import pytest

from hoursmith_console.sandbox import services
from hoursmith_console.sandbox.models import Token
from tests.hoursmith_console.sandbox.fixtures import Caller, World, code, send
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.django_db(databases="__all__")


def revoke(actor: Caller, prefix: str) -> bool:
    member = actor.member
    return services.revoke_token(org_id=str(member.org_id), user_ref=str(member.user_id), env="live", prefix=prefix)


def _parts(token: str) -> tuple[str, str, str, str]:
    mark, env, prefix, secret = token.split("_")
    return mark, env, prefix, secret


def test_a_token_has_the_documented_shape(world: World) -> None:
    mark, env, prefix, secret = _parts(world.owner.token)
    assert (mark, env) == ("hsk", "live")
    assert re.fullmatch("[0-9a-f]{12}", prefix)
    assert re.fullmatch("[0-9A-Za-z]{32}", secret)


def test_nothing_of_the_secret_is_kept(world: World) -> None:
    _, _, prefix, secret = _parts(world.owner.token)
    row = Token.objects.filter(prefix=prefix).values().get()
    assert secret not in str(row)
    assert not any(secret[start : start + 8] in str(row) for start in range(24))


def test_a_minted_token_does_not_show_in_its_representation(world: World) -> None:
    minted = services.mint_token(member=world.owner.member, name="x", scopes=["read"])
    assert _parts(minted.plaintext)[3] not in repr(minted)


def _refused(header: str | None) -> tuple[int, bytes, str]:
    answer = send("GET", "/me", **({} if header is None else {"authorization": header}))
    return answer.status_code, answer.content, answer["WWW-Authenticate"]


def test_missing_malformed_unknown_wrong_and_revoked_tokens_get_one_answer(world: World) -> None:
    mark, env, prefix, secret = _parts(world.owner.token)
    revoked = world.narrowed(world.owner, "read")
    assert revoke(world.owner, _parts(revoked.token)[2])
    headers = [
        None,
        "",
        "Bearer",
        f"Basic {world.owner.token}",
        world.owner.token,
        f"Bearer {world.owner.token} {world.owner.token}",
        f"Bearer {assembled_token()}",
        f"Bearer {'_'.join([mark, env, prefix, secret[::-1]])}",
        f"Bearer {'_'.join([mark, 'test', prefix, secret])}",
        f"Bearer {revoked.token}",
    ]
    answers = {_refused(header) for header in headers}
    assert len(answers) == 1
    status, body, challenge = answers.pop()
    assert status == 401
    assert b'"code":"unauthenticated"' in body
    assert challenge.startswith("Bearer")


def test_the_scheme_is_read_in_any_case(world: World) -> None:
    assert send("GET", "/me", authorization=f"bearer {world.owner.token}").status_code == 200


def test_revoking_bites_on_the_next_request_and_works_once(world: World) -> None:
    prefix = _parts(world.owner.token)[2]
    assert world.owner.get("/me").status_code == 200
    assert revoke(world.owner, prefix)
    assert code(world.owner.get("/me")) == (401, "unauthenticated")
    assert not revoke(world.owner, prefix)
    assert not revoke(world.owner, "0" * 12)


@pytest.mark.parametrize(
    ("actor", "target", "may"),
    [
        ("owner", "member", True),
        ("admin", "owner", True),
        ("manager", "manager", True),
        ("manager", "member", False),
        ("member", "owner", False),
    ],
)
def test_members_revoke_their_own_tokens_and_admins_those_of_their_workspace(
    world: World, actor: str, target: str, may: bool
) -> None:
    caller = getattr(world, target)
    prefix = _parts(caller.token)[2]
    if may:
        assert revoke(getattr(world, actor), prefix)
    else:
        with pytest.raises(services.NotTokenOwnerError):
            revoke(getattr(world, actor), prefix)
    assert (caller.get("/me").status_code == 200) is not may


@pytest.mark.parametrize("role", ["owner", "admin", "manager", "member"])
def test_nobody_revokes_a_token_of_another_workspace(world: World, role: str) -> None:
    other = World("Globex")
    with pytest.raises(services.NotTokenOwnerError):
        revoke(getattr(other, role), _parts(world.member.token)[2])
    assert world.member.get("/me").status_code == 200


def test_an_admin_of_another_workspace_gains_nothing_by_naming_this_one(world: World) -> None:
    stranger = World("Globex").owner.member
    with pytest.raises(services.NotTokenOwnerError):
        services.revoke_token(
            org_id=str(world.org.pk),
            user_ref=str(stranger.user_id),
            env="live",
            prefix=_parts(world.member.token)[2],
        )
    assert world.member.get("/me").status_code == 200


def test_removing_or_deactivating_the_member_kills_their_tokens(world: World) -> None:
    world.member.member.delete()
    assert code(world.member.get("/me")) == (401, "unauthenticated")
    world.admin.member.is_active = False
    world.admin.member.save()
    assert code(world.admin.get("/me")) == (401, "unauthenticated")
    assert world.owner.get("/me").status_code == 200


def test_a_person_in_two_workspaces_acts_as_the_membership_that_minted(world: World, outside: World) -> None:
    membership = outside.org.members.create(
        user=world.owner.member.user, role="MEMBER", created_at=datetime(2026, 3, 2, tzinfo=UTC)
    )
    guest = Caller(membership, services.mint_token(member=membership, name="x", scopes=["read"]).plaintext)
    assert guest.get("/me").json()["data"]["orgName"] == "Umbrella"
    assert world.owner.get("/me").json()["data"]["orgName"] == "Acme"


@pytest.mark.parametrize("plan", ["free", "lapsed"])
@pytest.mark.parametrize("path", ["/me", "/clients", "/no/such/address"])
def test_without_a_plan_every_call_says_which_one_is_needed(world: World, plan: str, path: str) -> None:
    world.org.plan = plan
    world.org.save()
    answer = world.owner.get(path)
    assert code(answer) == (402, "forbidden_plan")
    error = answer.json()["error"]
    assert (error["requiredPlan"], error["feature"]) == ("studio", "apiAccess")
