"""Rotate a leaked token now: stop it, start its rotation, and create the new token where the member may."""

from django.db import transaction

from hoursmith_console.rotations.actions import mint_new_token, revoke_old_token
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.permissions import can_mint_new_token, liftable_by
from hoursmith_console.rotations.progress.sync import instants_of
from hoursmith_console.rotations.services import lock_rotation, start_rotation
from hoursmith_console.rotations.state import Step, current_step
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.protocol import MintedToken
from hoursmith_console.workspaces.models import Member
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.models import TokenRef

DEFAULT_REASON = "Leaked"


def rotate_leaked_token(
    *, ref: TokenRef, member: Member, reason: str = "", form: str = ""
) -> tuple[Rotation, MintedToken | None]:
    """Stop the token `ref` and return its rotation, with the new token if it was created.

    The sandbox revokes the token. Elsewhere it is blocked, until its owner or an admin has revoked it at Hoursmith.
    The new token is created where `form`, a one-use form mark, is given and `member` owns the old one. An open
    rotation of the token is joined. Raises RotationError, AuditUnavailableError, and what `mint_new_token` raises;
    then nothing was changed.
    """
    issuer = current_issuer()
    with issuer.all_or_nothing(), transaction.atomic():
        rotation = start_rotation(
            env=ref.env,
            prefix=ref.prefix,
            workspace=member.workspace,
            kind=RotationKind.LEAKED,
            actor=member.display_identity,
            reason=reason or DEFAULT_REASON,
        )
        if issuer.supports_minting:
            revoke_old_token(rotation=rotation, member=member)
        else:
            block_token(
                env=ref.env,
                prefix=ref.prefix,
                org_id=rotation.org_id,
                actor=member.display_identity,
                reason=reason or DEFAULT_REASON,
                liftable_by=liftable_by(member),
            )
        rotation = lock_rotation(rotation)
        is_next = current_step(RotationKind(rotation.kind), instants_of(rotation)) is Step.MINT
        minted = None
        if form and is_next and issuer.supports_minting and can_mint_new_token(member, rotation):
            name = rotation.token_name or "My assistant"
            minted = mint_new_token(rotation=rotation, member=member, name=name, form=form)
    return rotation, minted
