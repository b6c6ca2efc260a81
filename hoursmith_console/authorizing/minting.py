"""Let a signed-in member have the token made here, where the console creates tokens (the sandbox).

It is created when access is allowed, in the same transaction as the grant: denying leaves no token behind. Until then
the pages carry only what was chosen, signed for this browser.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest

from hoursmith_console.accounts.reauthentication import has_recent_auth
from hoursmith_console.authorizing.people import signed_in
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import mint_token
from hoursmith_console.workspaces.models import Member
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.core.types import Identity
from mcpbridge.grants import config
from mcpbridge.grants.carrying import ExpiredPageError, Pending
from mcpbridge.grants.envelopes import new_grant_id
from mcpbridge.grants.requests import AuthorizationRequest, restored_request

_SALT = "hoursmith authorization with a new token"
READ, FULL = ("read",), ("read", "write")


@dataclass(frozen=True, slots=True)
class NewToken:
    """What was chosen for an assistant whose token does not exist yet. `form` prevents a second one."""

    request: AuthorizationRequest
    member_key: int
    form: str
    grant_id: str
    lasts: timedelta
    is_read_only: bool


def may_mint(request: HttpRequest) -> bool:
    """Return whether the person may have a token created here at all."""
    viewer = signed_in(request)
    return viewer is not None and not viewer.member.is_auditor and current_issuer().supports_minting


def can_mint_now(request: HttpRequest) -> bool:
    """Return whether they may without re-authentication first."""
    return may_mint(request) and has_recent_auth(request)


def choose_new_token(
    request: AuthorizationRequest, *, member: Member, form: str, lasts: timedelta, is_read_only: bool
) -> NewToken:
    """Return what `member` chose, with the id of the grant to be."""
    return NewToken(request, member.pk, form, new_grant_id(), lasts, is_read_only or request.asks_read_only)


def sign_new_token(chosen: NewToken, *, browser: str) -> str:
    """Return `chosen` as the text of a hidden field for this browser."""
    facts = [
        chosen.request.facts(),
        chosen.member_key,
        chosen.form,
        chosen.grant_id,
        chosen.lasts.total_seconds(),
        chosen.is_read_only,
    ]
    return signing.dumps(facts, salt=f"{_SALT} {browser}", compress=True)


def read_new_token(text: str, *, browser: str) -> NewToken:
    """Return what `sign_new_token` was given. Raises ExpiredPageError, or what `requests.check_request` raises."""
    try:
        facts: list[Any] = signing.loads(text, salt=f"{_SALT} {browser}", max_age=config.PENDING_LIFETIME)
    except signing.BadSignature:
        raise ExpiredPageError from None
    request, member_key, form, grant_id, lasts, is_read_only = facts
    return NewToken(restored_request(request), member_key, form, grant_id, timedelta(seconds=lasts), is_read_only)


def create_token(chosen: NewToken, member: Member) -> Pending:
    """Create the token for `member`, and return it with the request; the caller's transaction includes the grant.

    Raises what `token_issuer.minting.mint_token` raises.
    """
    scopes = READ if chosen.is_read_only else FULL
    name = chosen.request.client.name
    minted = mint_token(member=member, name=name, scopes=scopes, form=chosen.form, actor=member.display_identity)
    workspace = member.workspace
    return Pending(
        request=chosen.request,
        credential=credential_from_text(minted.plaintext),
        identity=Identity(workspace.org_id, workspace.name, "", member.role, name, scopes),
        grant_id=chosen.grant_id,
        lasts=min(chosen.lasts, config.grant_lifetime()),
        is_read_only=chosen.is_read_only,
    )
