"""Mint a token for a member, claim it and record it in one step, or roll everything back.

Only the return value of `mint_token` contains the full token. It may go into the response to the one request that
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

_FORM_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


class AlreadyMintedError(Exception):
    """The form was submitted before. `claim` names the token minted then, which cannot be shown again."""

    def __init__(self, claim: TokenClaim) -> None:
        super().__init__(claim.masked_token)
        self.claim = claim


class MissingFormIdError(Exception):
    """The form has no valid id (`new_form_id`), so a repeated submission could not be detected."""


def new_form_id() -> str:
    """Return an id for a minting form. It is not secret: it only prevents a second submission from minting again."""
    return secrets.token_urlsafe(16)


def mint_token(*, member: Member, name: str, scopes: Sequence[str], form: str, actor: str) -> MintedToken:
    """Mint a token that acts as `member`, claim it for them and record that `actor` asked for it.

    `form` is the id of the sent form (`new_form_id`): a reload, a double click or a second tab mints no second token.
    Raises AlreadyMintedError, MissingFormIdError, MintingUnsupportedError, UnknownMemberError and
    AuditUnavailableError; no token exists then.
    """
    if not _FORM_ID.fullmatch(form):
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
        # The same form was submitted at the same moment; the token minted here was rolled back.
        _refuse_used(member, form)
        raise
    return minted


def _refuse_used(member: Member, form: str) -> None:
    # An id counts only for its member, so that another member's id reveals and changes nothing.
    claim = TokenClaim.objects.filter(form=form, member=member).select_related("member").first()
    if claim is not None:
        raise AlreadyMintedError(claim)
