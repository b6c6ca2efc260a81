"""Takes back whose token is whose: the first who shows a token is known as its owner, and that may be wrong."""

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
    """Know the token as nobody's again, so that its owner can show it; rotations that rest on it know that too.

    Raises ClaimError where `member` may not, AuditUnavailableError; then the claim stands.
    """
    with transaction.atomic(using=router.db_for_write(TokenClaim)):
        held = TokenClaim.objects.select_for_update(of=("self",)).select_related("member__workspace").get(pk=claim.pk)
        if not can_release_claim(member, held):
            raise ClaimError("Its owner, an Owner or an Admin can say that; of a token created here nobody can.")
        workspace = held.member.workspace
        under_way = Rotation.objects.filter(workspace=workspace, ended_at=None).select_related("workspace")
        for rotation in under_way.filter(new_env=held.env, new_prefix=held.prefix):
            clear_new_token(rotation)
            refresh_rotation_notice(rotation, get_policy(workspace))
        for rotation in under_way.filter(env=held.env, prefix=held.prefix, owner=held.member):
            clear_new_token(rotation)
            rotation.owner, rotation.owner_name, rotation.is_owner_assigned = None, "", False
            rotation.save(update_fields=["owner", "owner_name", "is_owner_assigned"])
        name = token_name(held.env, held.prefix)
        held.delete()
        record_event(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.token_claim_release",
            actor=member.display_identity,
            target_type="token",
            target_id=held.prefix,
            target_label=name or held.masked_token,
            token=TokenNamed(held.env, held.prefix, name),
            details={"was": held.member.display_identity},
        )
