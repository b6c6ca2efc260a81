"""Release claims on tokens: the first member to verify a token counts as its owner, which may be wrong."""

from django.db import router, transaction

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.permissions import can_release_claim
from hoursmith_console.rotations.services import clear_new_token
from hoursmith_console.token_issuer.claims import ClaimError
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.blocks import token_name


def release_claim(*, claim: TokenClaim, member: Member) -> None:
    """Delete the claim, so that the real owner can verify the token, and clear it from open rotations.

    Raises ClaimError if `member` may not release it, or AuditUnavailableError; then the claim is kept.
    """
    with transaction.atomic(using=router.db_for_write(TokenClaim)):
        locked = TokenClaim.objects.select_for_update(of=("self",)).select_related("member__workspace").get(pk=claim.pk)
        if not can_release_claim(member, locked):
            raise ClaimError(
                "Only the claiming member, an Owner or an Admin can release a claim, and not for tokens created here."
            )
        workspace = locked.member.workspace
        open_rotations = Rotation.objects.filter(workspace=workspace, ended_at=None).select_related("workspace")
        for rotation in open_rotations.filter(new_env=locked.env, new_prefix=locked.prefix):
            clear_new_token(rotation)
            refresh_rotation_notice(rotation, get_policy(workspace))
        for rotation in open_rotations.filter(env=locked.env, prefix=locked.prefix, owner=locked.member):
            clear_new_token(rotation)
            rotation.owner, rotation.owner_name, rotation.is_owner_assigned = None, "", False
            rotation.save(update_fields=["owner", "owner_name", "is_owner_assigned"])
        name = token_name(locked.env, locked.prefix)
        locked.delete()
        record_event(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.token_claim_release",
            actor=member.display_identity,
            target_type="token",
            target_id=locked.prefix,
            target_label=name or locked.masked_token,
            token=TokenNamed(locked.env, locked.prefix, name),
            details={"was": locked.member.display_identity},
        )
