"""Mints a token for a member: made, known to be theirs and on record in one step, or not at all.

The whole token is in what `mint_token` returns and nowhere else. It may go into the answer of the one request that
asked for it (`hoursmith_console.tokens.shown_once`), and into no session, redirect, message or link.
"""

import re
import secrets
from collections.abc import Sequence

from django.db import IntegrityError, router, transaction

from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed, record_event

_FORM = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


class AlreadyMintedError(Exception):
    """The form was sent before. `claim` names the token that it made then, which cannot be shown again."""

    def __init__(self, claim: TokenClaim) -> None:
        super().__init__(claim.masked_token)
        self.claim = claim


class MissingFormIdError(Exception):
    """The form has no mark of `new_form_id`, so nobody could tell whether it was sent before."""


def new_form_id() -> str:
    """A mark for one form that mints. It is no secret: it only lets the same form mint no second time."""
    return secrets.token_urlsafe(16)


def mint_token(*, member: Member, name: str, scopes: Sequence[str], form: str, actor: str) -> MintedToken:
    """Mint a token that acts as `member`, claim it for them and record that `actor` asked for it.

    `form` is the id of the sent form (`new_form_id`): a reload, a double click or a second tab mints no second token.
    Raises AlreadyMintedError, MissingFormIdError, MintingUnsupportedError, UnknownMemberError and
    AuditUnavailableError; no token exists then.
    """
    if not _FORM.fullmatch(form):
        raise MissingFormIdError
    issuer = current_issuer()
    if not issuer.supports_minting:
        raise MintingUnsupportedError(issuer.page)
    _refuse_used(member, form)
    workspace = member.workspace
    try:
        with issuer.all_or_nothing(), transaction.atomic(using=router.db_for_write(TokenClaim)):
            minted = issuer.mint_token(org_id=workspace.org_id, user_ref=member.user_ref, name=name, scopes=scopes)
            claim_token(env=minted.env, prefix=minted.prefix, member=member, source="minted", form=form)
            record_event(
                org_id=workspace.org_id,
                org_name=workspace.name,
                action="console.token_mint",
                actor=actor,
                target_type="token",
                target_id=minted.prefix,
                target_label=name,
                token=TokenNamed(minted.env, minted.prefix, name),
                details={"for": member.display_identity, "scopes": list(scopes)},
            )
    except IntegrityError:
        # They sent the same form in the same instant; what was minted here has been taken back.
        _refuse_used(member, form)
        raise
    return minted


def _refuse_used(member: Member, form: str) -> None:
    # A mark counts for its member alone: whoever sends another's learns nothing and takes nothing from them.
    claim = TokenClaim.objects.filter(form=form, member=member).select_related("member").first()
    if claim is not None:
        raise AlreadyMintedError(claim)
