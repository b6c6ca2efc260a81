"""Mints a token for a member: made, known to be theirs and on record in one step, or not at all.

The whole token is in what `token_mint` returns and nowhere else. It may go into the answer of the one request that
asked for it (`hoursmith_console.tokens.shown_once`), and into no session, redirect, message or link.
"""

import re
import secrets
from collections.abc import Sequence

from django.db import IntegrityError, router, transaction

from hoursmith_console.token_issuer import current_authority
from hoursmith_console.token_issuer.protocol import MintedToken, NotMintedHereError
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


class UnmarkedFormError(Exception):
    """The form has no mark of `mint_form`, so nobody could tell whether it was sent before."""


def mint_form() -> str:
    """A mark for one form that mints. It is no secret: it only lets the same form mint no second time."""
    return secrets.token_urlsafe(16)


def token_mint(*, member: Member, name: str, scopes: Sequence[str], form: str, actor: str) -> MintedToken:
    """A new token that acts as `member`, claimed for them, with `actor` on record as who made it.

    `form` is the mark that the sent form carried (`mint_form`): reload, a double click and a second tab mint once.
    Raises AlreadyMintedError, UnmarkedFormError, NotMintedHereError, UnknownMemberError, AuditUnavailableError; then
    no token came of it.
    """
    if not _FORM.fullmatch(form):
        raise UnmarkedFormError
    authority = current_authority()
    if not authority.can_mint:
        raise NotMintedHereError(authority.page)
    _refuse_used(member, form)
    workspace = member.workspace
    try:
        with authority.all_or_nothing(), transaction.atomic(using=router.db_for_write(TokenClaim)):
            minted = authority.token_mint(org_id=workspace.org_id, user_ref=member.user_ref, name=name, scopes=scopes)
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
                details={"for": member.named, "scopes": list(scopes)},
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
