"""Who mints and revokes: the sandbox does, in hosted mode nobody here can."""

import uuid
from typing import Any

import pytest

from hoursmith_console.token_issuer import HostedTokenIssuer, SandboxTokenIssuer, current_issuer
from hoursmith_console.token_issuer.protocol import MintingUnsupportedError, NotTokenOwnerError, UnknownMemberError
from tests.hoursmith_console.sandbox.fixtures import World, code, send

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def world() -> World:
    return World("Acme")


def test_the_sandbox_mints_and_revokes(world: World, settings: Any) -> None:
    settings.SANDBOX_MODE = True
    issuer = current_issuer()
    assert isinstance(issuer, SandboxTokenIssuer)
    assert (issuer.supports_minting, issuer.page) == (True, "")
    minted = issuer.mint_token(org_id=str(world.org.pk), user_ref=world.member.user_id, name="laptop", scopes=["read"])
    assert minted.plaintext not in repr(minted)
    call = {"authorization": f"Bearer {minted.plaintext}"}
    me = send("GET", "/me", **call).json()["data"]
    assert (me["role"], me["tokenName"], me["scopes"]) == ("MEMBER", "laptop", ["read"])
    who = {"org_id": str(world.org.pk), "user_ref": str(world.member.user_id)}
    assert issuer.find_token_owner(env=minted.env, prefix=minted.prefix) == str(world.member.user_id)
    with pytest.raises(NotTokenOwnerError):
        issuer.revoke_token(
            org_id=str(world.org.pk),
            user_ref=str(world.manager.member.user_id),
            env=minted.env,
            prefix=minted.prefix,
        )
    assert issuer.revoke_token(**who, env=minted.env, prefix=minted.prefix)
    assert code(send("GET", "/me", **call)) == (401, "unauthenticated")
    assert not issuer.revoke_token(**who, env=minted.env, prefix=minted.prefix)


@pytest.mark.parametrize("who", [str(uuid.UUID(int=1)), "user-7", ""])
def test_nobody_mints_for_a_stranger(world: World, who: str) -> None:
    with pytest.raises(UnknownMemberError):
        SandboxTokenIssuer().mint_token(org_id=str(world.org.pk), user_ref=who, name="x", scopes=["read"])


def test_nobody_mints_for_a_member_of_another_workspace(world: World) -> None:
    other = World("Umbrella")
    with pytest.raises(UnknownMemberError):
        SandboxTokenIssuer().mint_token(
            org_id=str(world.org.pk), user_ref=other.owner.user_id, name="x", scopes=["read"]
        )


def test_in_hosted_mode_the_console_only_knows_the_page(settings: Any) -> None:
    settings.SANDBOX_MODE = False
    settings.HOURSMITH_TOKENS_URL = "https://hoursmith.example/settings/api"
    issuer = current_issuer()
    assert isinstance(issuer, HostedTokenIssuer)
    assert (issuer.supports_minting, issuer.page) == (False, "https://hoursmith.example/settings/api")
    with pytest.raises(MintingUnsupportedError):
        issuer.mint_token(org_id="x", user_ref="x", name="x", scopes=["read"])
    with pytest.raises(MintingUnsupportedError):
        issuer.revoke_token(org_id="x", user_ref="x", env="live", prefix="0" * 12)
    assert issuer.find_token_owner(env="live", prefix="0" * 12) == ""
