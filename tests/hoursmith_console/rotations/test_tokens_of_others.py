"""A prefix is public: who types another's opens nothing with it, ends nothing, reserves nothing, and sees nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.rotations.actions import revoke_old_token
from hoursmith_console.rotations.models import NewTokenEvidence, Rotation, RotationKind
from hoursmith_console.rotations.services import RotationError, assign_owner, start_rotation
from hoursmith_console.sandbox.models import Token
from hoursmith_console.token_issuer.minting import mint_token, new_form_id
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.models import AuditEvent, ObservedToken, TokenBlock, TokenNotice
from tests.hoursmith_console.records import make_client, make_token
from tests.hoursmith_console.sandbox_members import Somebody, Town

pytestmark = pytest.mark.django_db(databases="__all__")

STRANGERS = ["of the same workspace", "of another workspace"]


def rotating(who: Somebody, kind: RotationKind = RotationKind.PLANNED) -> Rotation:
    return start_rotation(
        env="live",
        prefix=who.token.prefix,
        workspace=who.member.workspace,
        kind=kind,
        actor=who.member.display_identity,
    )


def mint(browser: Client, rotation: Rotation) -> Any:
    return browser.post(f"/rotations/{rotation.pk}/mint/", {"name": "New", "form": new_form_id()})


@pytest.fixture(params=STRANGERS)
def victim(request: pytest.FixtureRequest, acme: Town, globex: Town) -> Somebody:
    return acme["owner"] if request.param == STRANGERS[0] else globex["member"]


def test_a_member_cannot_revoke_a_strangers_token_by_naming_it_as_the_lost_new_one(
    acme: Town, victim: Somebody
) -> None:
    # Never seen at work here and claimed by nobody: nothing but its owner's configuration knows that it is used.
    ObservedToken.objects.filter(pk=victim.token.pk).delete()
    TokenClaim.objects.filter(prefix=victim.token.prefix).delete()
    attacker = acme["member"]
    browser, rotation = attacker.browser(), rotating(attacker)
    for named in (victim.public, victim.token.prefix, f"{victim.public}_••••"):
        for field in ("public", "token", "claim", "prefix"):
            browser.post(f"/rotations/{rotation.pk}/new-token/", {field: named})
    rotation.refresh_from_db()
    assert (rotation.new_prefix, rotation.minted_at) == ("", None)
    assert mint(browser, rotation).status_code == 200
    assert victim.works
    # Its own, lost a moment later, is all that a second one ends.
    rotation.refresh_from_db()
    first = rotation.new_prefix
    assert mint(browser, rotation).status_code == 200
    assert victim.works
    ended = Token.objects.exclude(revoked_at=None).values_list("prefix", flat=True)
    assert list(ended) == [first]


def test_the_claim_of_another_member_cannot_be_chosen_as_the_new_token(acme: Town, victim: Somebody) -> None:
    attacker = acme["member"]
    rotation = rotating(attacker)
    claim = TokenClaim.objects.get(prefix=victim.token.prefix)
    answer = attacker.browser().post(f"/rotations/{rotation.pk}/new-token/", {"claim": claim.pk})
    assert answer.status_code == 404
    rotation.refresh_from_db()
    assert rotation.new_prefix == ""


def test_a_new_token_that_this_rotation_did_not_create_is_never_revoked_as_lost(acme: Town, victim: Somebody) -> None:
    attacker = acme["member"]
    rotation = rotating(attacker)
    # As rows stood before successors had to be shown.
    ObservedToken.objects.filter(pk=victim.token.pk).delete()
    for how in ("", NewTokenEvidence.VERIFIED):
        Rotation.objects.filter(pk=rotation.pk).update(
            new_env="live", new_prefix=victim.token.prefix, minted_at=rotation.requested_at, new_token_evidence=how
        )
        assert mint(attacker.browser(), rotation).status_code == 200
        assert victim.works


def test_even_a_wrong_row_does_not_reach_another_members_token(acme: Town, victim: Somebody) -> None:
    attacker = acme["member"]
    rotation = rotating(attacker)
    ObservedToken.objects.filter(pk=victim.token.pk).delete()
    Rotation.objects.filter(pk=rotation.pk).update(
        new_env="live",
        new_prefix=victim.token.prefix,
        minted_at=rotation.requested_at,
        new_token_evidence=NewTokenEvidence.MINTED,
    )
    mint(attacker.browser(), rotation)
    assert victim.works


def test_an_assigned_owner_cannot_revoke_the_token(acme: Town) -> None:
    named, true = acme["member"], acme["manager"]
    TokenClaim.objects.filter(prefix=true.token.prefix).delete()
    rotation = rotating(true, RotationKind.LEAKED)
    assign_owner(rotation=rotation, owner=named.member, actor=acme["admin"].member.display_identity)
    with pytest.raises(RotationError, match="belongs to another member"):
        revoke_old_token(rotation=rotation, member=named.member)
    assert true.works
    rotation.refresh_from_db()
    assert rotation.revoked_at is None
    revoke_old_token(rotation=rotation, member=acme["admin"].member)
    assert not true.works


@pytest.mark.parametrize("person", ["owner", "admin", "manager", "member"])
def test_no_address_acts_on_a_token_of_another_workspace(acme: Town, globex: Town, person: str) -> None:
    victim, browser = acme["member"], globex[person].browser()
    address, prefix = f"live_{victim.token.prefix}", victim.public
    before = AuditEvent.objects.filter(org_id=victim.token.org_id).count()
    for path in ("block", "unblock"):
        assert browser.post(f"/tokens/{path}/?token={address}", {"reason": "mine"}).status_code == 404
    assert browser.get(f"/rotations/new/?token={address}").status_code == 404
    assert browser.post(f"/rotations/new/?token={address}", {"kind": "leaked"}).status_code == 404
    assert browser.post("/rotations/leaked-tokens/block/", {"prefix": prefix}).status_code == 404
    assert browser.post("/rotations/leaked-tokens/rotate/", {"prefix": prefix}).status_code == 404
    assert browser.post("/rotations/leaked-tokens/", {"prefix": prefix}).status_code == 302
    page = browser.get(f"/rotations/leaked-tokens/?t={address}").content.decode()
    assert "member's laptop" not in page.replace("&#x27;", "'")
    assert AuditEvent.objects.filter(org_id=victim.token.org_id).count() == before
    for model in (TokenBlock, Rotation, TokenNotice, LeakReport):
        assert not model.objects.exists(), model
    assert victim.works


def test_a_prefix_known_to_two_workspaces_is_two_rotations(acme: Town, globex: Town) -> None:
    theirs, ours = globex["member"], acme["member"]
    foreign = start_rotation(
        env="live", prefix=theirs.token.prefix, workspace=theirs.member.workspace, kind=RotationKind.PLANNED, actor="x"
    )
    # However it came to know it: the real owner's rotation is not in the way, and not joined.
    Rotation.objects.filter(pk=foreign.pk).update(prefix=ours.token.prefix)
    mine = rotating(ours, RotationKind.LEAKED)
    foreign.refresh_from_db()
    assert (mine.workspace, foreign.kind) == (ours.member.workspace, RotationKind.PLANNED)


def test_the_mark_of_anothers_form_names_nothing_and_is_not_used_up(acme: Town, globex: Town) -> None:
    form = new_form_id()
    for somebody in (acme["member"], acme["owner"], globex["member"]):
        member = somebody.member
        minted = mint_token(member=member, name="Laptop", scopes=["read"], form=form, actor=member.display_identity)
        assert TokenClaim.objects.get(prefix=minted.prefix).member == member


def test_the_calls_of_a_token_out_of_sight_are_not_shown(acme: Town) -> None:
    """Assigning an owner to an unowned token shows them none of its calls."""
    workspace: Workspace = acme["owner"].member.workspace
    before = timezone.now() - timedelta(hours=2)
    token = make_token(workspace.org_id, "c" * 12, last_tool="delete_client", last_used_at=before)
    make_client(token, name="Cursor", version="7.7.7", address="203.0.113.77")
    since = before + timedelta(hours=1)
    new = make_token(workspace.org_id, "f" * 12, last_tool="delete_invoice", first_used_at=since)
    make_client(new, name="Cursor", version="8.8.8")
    rotation = start_rotation(
        env="live", prefix=token.prefix, workspace=workspace, kind=RotationKind.PLANNED, actor="Olga"
    )
    Rotation.objects.filter(pk=rotation.pk).update(
        new_env="live", new_prefix=new.prefix, minted_at=rotation.requested_at, owner=acme["member"].member
    )
    seen = re.compile("delete_client|delete_invoice|7\\.7\\.7|8\\.8\\.8|203\\.0\\.113\\.77")
    addresses = [f"/rotations/{rotation.pk}/", f"/rotations/{rotation.pk}/live/", "/rotations/", "/"]
    for address in addresses:
        answer = acme["member"].browser().get(address)
        assert answer.status_code == 200
        assert not seen.findall(answer.content.decode()), address
    assert seen.findall(acme["owner"].browser().get(addresses[0]).content.decode())
