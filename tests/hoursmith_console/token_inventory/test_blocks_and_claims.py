"""Who unblocks a token and who releases a claim: decided by member, not by name."""

from collections.abc import Callable

import pytest
from django.test import Client

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import AuditEvent, TokenBlock
from tests.hoursmith_console.conftest import Cast

Browse = Callable[[str], Client]
BLOCK, UNBLOCK = "/tokens/block/?token=live_{}", "/tokens/unblock/?token=live_{}"


def block(browser: Client, prefix: str) -> None:
    assert browser.post(BLOCK.format(prefix), {"reason": "seen in a chat"}).status_code == 302


def test_a_member_unblocks_what_they_blocked_themselves(cast: Cast, trusted: Browse) -> None:
    prefix, member = cast.tokens["member"].prefix, trusted("member")
    block(member, prefix)
    # By key, so that the block stays theirs when they are called otherwise.
    Member.objects.filter(pk=cast.people["member"].pk).update(name="Renamed", email="renamed@example.com")
    assert member.post(UNBLOCK.format(prefix)).status_code == 302
    assert not TokenBlock.objects.filter(lifted_at=None).exists()


def test_who_is_called_like_the_admin_that_blocked_it_is_not_that_admin(cast: Cast, trusted: Browse) -> None:
    prefix, admin = cast.tokens["member"].prefix, cast.people["admin"]
    block(trusted("admin"), prefix)
    Member.objects.filter(pk=cast.people["member"].pk).update(name=admin.name, email=admin.email)
    assert Member.objects.get(pk=cast.people["member"].pk).display_identity == TokenBlock.objects.get().blocked_by
    assert trusted("member").post(UNBLOCK.format(prefix)).status_code == 403
    assert TokenBlock.objects.filter(lifted_at=None).exists()


@pytest.mark.parametrize("desk", [False, True])
def test_an_admins_block_replaces_a_members(cast: Cast, trusted: Browse, desk: bool) -> None:
    prefix, member = cast.tokens["member"].prefix, trusted("member")
    block(member, prefix)
    if desk:
        trusted("admin").post("/rotations/leaked-tokens/block/", {"prefix": f"hsk_live_{prefix}"})
    else:
        block(trusted("admin"), prefix)
    assert member.post(UNBLOCK.format(prefix)).status_code == 403
    assert TokenBlock.objects.get(lifted_at=None).blocked_by == cast.people["admin"].display_identity
    assert AuditEvent.objects.filter(tool="console.token_block").count() == 2


def test_a_member_does_not_take_over_an_admins_block(cast: Cast, trusted: Browse) -> None:
    prefix, member = cast.tokens["member"].prefix, trusted("member")
    block(trusted("admin"), prefix)
    block(member, prefix)
    assert member.post(UNBLOCK.format(prefix)).status_code == 403
    assert AuditEvent.objects.filter(tool="console.token_block").count() == 1


@pytest.mark.parametrize(("person", "status"), [("owner", 302), ("member", 302), ("manager", 404), ("outsider", 404)])
def test_a_claim_is_released_on_the_tokens_page(cast: Cast, browse: Browse, person: str, status: int) -> None:
    token = cast.tokens["member"]
    TokenClaim.objects.filter(prefix=token.prefix).update(source="verified")
    assert "Release claim" in browse("owner").get(f"/tokens/{token.pk}/").content.decode()
    assert browse(person).post(f"/tokens/{token.pk}/release-claim/").status_code == status
    assert TokenClaim.objects.filter(prefix=token.prefix).exists() is (status == 404)


def test_a_token_that_was_created_here_stays_its_members(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["member"]
    assert "Release claim" not in browse("owner").get(f"/tokens/{token.pk}/").content.decode()
    assert browse("owner").post(f"/tokens/{token.pk}/release-claim/").status_code == 403


def test_the_address_that_takes_a_token_back_does_nothing_on_get(cast: Cast, browse: Browse) -> None:
    assert browse("owner").get(f"/tokens/{cast.tokens['member'].pk}/release-claim/").status_code == 405
