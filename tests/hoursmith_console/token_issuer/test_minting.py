"""A token is minted, claimed and recorded in one step; the same form makes no second one."""

from typing import Any

import pytest

from hoursmith_console.sandbox.console import console_member
from hoursmith_console.sandbox.models import Member as SandboxMember
from hoursmith_console.sandbox.models import Token
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError, mint_token, new_form_id
from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError, UnknownMemberError
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.sandbox.fixtures import World, send

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def world() -> World:
    return World("Acme")


@pytest.fixture
def member(world: World) -> Member:
    return console_member(SandboxMember.objects.get(pk=world.member.member.pk))


def minted(member: Member, form: str) -> MintedToken:
    return mint_token(member=member, name="Laptop", scopes=["read"], form=form, actor=member.display_identity)


def test_a_minted_token_works_is_claimed_and_is_on_record_by_its_public_half(member: Member) -> None:
    token = minted(member, new_form_id())
    me = send("GET", "/me", authorization=f"Bearer {token.plaintext}").json()["data"]
    assert (me["tokenName"], me["scopes"]) == ("Laptop", ["read"])
    assert TokenClaim.objects.get(env=token.env, prefix=token.prefix).member == member
    row = AuditEvent.objects.get()
    assert (row.tool, row.actor, row.env, row.prefix) == (
        "console.token_mint",
        member.display_identity,
        token.env,
        token.prefix,
    )
    assert row.arguments == {"for": member.display_identity, "scopes": ["read"]}
    secret = token.plaintext.rsplit("_", 1)[1]
    assert secret not in repr(token) + str(list(AuditEvent.objects.values())) + str(list(TokenClaim.objects.values()))


def test_the_same_form_names_the_token_that_it_made(member: Member) -> None:
    form = new_form_id()
    token = minted(member, form)
    with pytest.raises(AlreadyMintedError) as caught:
        minted(member, form)
    assert caught.value.claim.prefix == token.prefix
    assert Token.objects.filter(name="Laptop").count() == 1


@pytest.mark.parametrize("form", ["", "short", "x" * 32, "é" * 22, "a" * 21 + "\n"])
def test_a_form_without_a_mark_of_ours_mints_nothing(member: Member, form: str) -> None:
    with pytest.raises(MissingFormIdError):
        minted(member, form)
    assert not Token.objects.filter(name="Laptop").exists()


@pytest.mark.usefixtures("audit_unavailable")
def test_without_a_record_there_is_no_token(member: Member) -> None:
    with pytest.raises(AuditUnavailableError):
        minted(member, new_form_id())
    assert not Token.objects.filter(name="Laptop").exists()
    assert not TokenClaim.objects.exists()


def test_somebody_whom_hoursmith_does_not_know_gets_none(member: Member) -> None:
    member.user_ref = "invited:member@example.com"
    with pytest.raises(UnknownMemberError):
        minted(member, new_form_id())


def test_in_hosted_mode_nothing_is_minted(member: Member, settings: Any) -> None:
    settings.SANDBOX_MODE = False
    with pytest.raises(MintingUnsupportedError):
        minted(member, new_form_id())
    assert not AuditEvent.objects.exists()
