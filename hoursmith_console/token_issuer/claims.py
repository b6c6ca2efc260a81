"""Proof of possession: whoever can show a token once is known as its owner from then on.

The token is asked about at Hoursmith, with one `GET /me`, and then dropped: `/me` says which workspace and role it
acts for, and that is held against who claims it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.db import router, transaction
from django.utils import timezone

from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.tokens.models import VERIFIED, ClaimAttempt, TokenClaim
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.calls.errors import from_response, from_upstream_error
from mcpbridge.core.credential import EXPLANATIONS, Credential, CredentialErrorCode
from mcpbridge.models import Result
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import ApiResponse, Upstream, UpstreamError
from mcpbridge.upstream.config import upstream_from_settings

ME = RestRequest("GET", "/me", route="/me")
# Hoursmith allows our address 10 bad tokens a minute, of which the bridge keeps 8 for itself.
REFUSED_IN_ALL = 2
IN_ALL_WITHIN = timedelta(seconds=60)
REFUSED_PER_PERSON = 3
PER_PERSON_WITHIN = timedelta(minutes=10)


class ClaimError(Exception):
    """The token could not be claimed; the text says why, in words for the person, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A token that is now known to be somebody's. `is_new`: it was not before."""

    claim: TokenClaim
    name: str
    is_new: bool


def verify_and_claim(
    *, member: Member, text: str, actor: str, upstream: Callable[[], Upstream] | None = None
) -> ClaimResult:
    """Know the token `text` as `member`'s, once Hoursmith accepted it; the token itself is kept nowhere.

    Raises CredentialError (nobody was asked), ClaimError, AuditUnavailableError.
    """
    credential = credential_from_text(text)
    attempt = _attempt(member)
    try:
        reply = async_to_sync(_ask)(credential, upstream or _upstream)
    except ClaimError:
        attempt.delete()
        raise
    if reply.status == 401:
        raise ClaimError(EXPLANATIONS[CredentialErrorCode.REJECTED])
    attempt.delete()
    if not reply.is_success:
        found = from_response(reply, ME)
        raise ClaimError(f"{found.message} {found.hint}")
    return _claim(member, credential, reply, actor)


def _attempt(member: Member) -> ClaimAttempt:
    """Note the attempt before Hoursmith is asked, so that a burst cannot outrun the count. Raises ClaimError."""
    now = timezone.now()
    with transaction.atomic(using=router.db_for_write(ClaimAttempt)):
        # One after the other, also where the database lets transactions run side by side.
        list(Member.objects.select_for_update().filter(pk=member.pk))
        ClaimAttempt.objects.filter(at__lt=now - PER_PERSON_WITHIN).delete()
        if ClaimAttempt.objects.filter(member=member).count() >= REFUSED_PER_PERSON:
            raise ClaimError("Too many tokens of yours were refused. Wait ten minutes, then paste the right one.")
        if ClaimAttempt.objects.filter(at__gte=now - IN_ALL_WITHIN).count() >= REFUSED_IN_ALL:
            raise ClaimError("Others have just shown tokens that were refused. Wait a minute, then paste it again.")
        return ClaimAttempt.objects.create(member=member, at=now)


def _upstream() -> Upstream:
    return upstream_from_settings(ASGIHandler())


async def _ask(credential: Credential, upstream: Callable[[], Upstream]) -> ApiResponse:
    asked = upstream()
    try:
        return await asked.send(ME, credential)
    except UpstreamError as error:
        found = from_upstream_error(error, is_read=True)
        raise ClaimError(f"{found.message} {found.hint}") from None
    finally:
        await asked.aclose()


def _claim(member: Member, credential: Credential, reply: ApiResponse, actor: str) -> ClaimResult:
    me = reply.payload.get("data")
    if not isinstance(me, dict) or me.get("orgId") != member.workspace.org_id:
        raise ClaimError("This token belongs to another workspace. Claim it in the console of that one.")
    if me.get("role") != member.role:
        # A token acts as the membership that minted it; nobody's own has another role than they have.
        raise ClaimError(
            f"This token acts as {str(me.get('role'))[:16]}, and you are {member.role}: it is somebody else's, or your "
            "role has changed at Hoursmith and the console does not know it yet (members_sync)."
        )
    owner = current_issuer().find_token_owner(env=credential.env, prefix=credential.prefix)
    if owner and owner != member.user_ref:
        raise ClaimError("This token acts as another member of this workspace, so it is theirs. Tell them you have it.")
    name = str(me.get("tokenName") or "")[:200]
    with transaction.atomic(using=router.db_for_write(TokenClaim)):
        known = TokenClaim.objects.filter(env=credential.env, prefix=credential.prefix).exists()
        claim = claim_token(env=credential.env, prefix=credential.prefix, member=member, source=VERIFIED)
        is_theirs = claim.member_id == member.pk
        if not known or not is_theirs:
            record_event(
                org_id=member.workspace.org_id,
                org_name=member.workspace.name,
                action="console.token_claim",
                actor=actor,
                target_type="token",
                target_id=credential.prefix,
                target_label=name,
                token=TokenNamed(credential.env, credential.prefix, name),
                result=Result.SUCCEEDED if is_theirs else Result.REFUSED,
            )
    if not is_theirs:
        raise ClaimError(
            f"{claim.masked_token} is already known as {claim.member.name}'s, who showed it first. If you made it, ask "
            "an Owner or Admin to release that claim on the token's page; if not, tell them that you have it."
        )
    return ClaimResult(claim, name, is_new=not known)
