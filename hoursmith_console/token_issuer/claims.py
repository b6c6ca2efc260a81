"""Check tokens with one `GET /me` at Hoursmith, and claim them: a member who can present a token counts as its owner.

The token is dropped afterwards. To be claimed, its workspace and role must match the member.
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
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import Result
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import ApiResponse, Upstream, UpstreamError
from mcpbridge.upstream.config import upstream_from_settings

ME = RestRequest("GET", "/me", route="/me")
# Hoursmith allows our address 10 bad tokens a minute, of which the gateway uses up to 8.
REFUSED_IN_ALL = 2
IN_ALL_WITHIN = timedelta(seconds=60)
REFUSED_PER_PERSON = 3
PER_PERSON_WITHIN = timedelta(minutes=10)


class ClaimError(Exception):
    """The token cannot be used or claimed. The text explains why to the user and repeats no part of the token."""


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """A token that Hoursmith has just accepted, and what it said about it. Only for the length of one request."""

    credential: Credential
    org_id: str
    org_name: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claimed token. `is_new`: it had no claim before."""

    claim: TokenClaim
    name: str
    is_new: bool


def verify_and_claim(
    *, member: Member, text: str, actor: str, upstream: Callable[[], Upstream] | None = None
) -> ClaimResult:
    """Verify the token `text` with Hoursmith and claim it for `member`; the token is not stored.

    Raises CredentialError (malformed; Hoursmith was not asked), ClaimError or AuditUnavailableError.
    """
    checked = check_token(text=text, member=member, upstream=upstream)
    require_own(member, checked)
    token = TokenNamed(checked.credential.env, checked.credential.prefix, checked.name)
    return claim_checked(member=member, token=token, actor=actor)


def check_token(
    *, text: str, member: Member | None = None, address: str = "", upstream: Callable[[], Upstream] | None = None
) -> CheckedToken:
    """Ask Hoursmith about the token `text`. Rejected ones count for `member`, or else for the client's `address`.

    Raises CredentialError (malformed; Hoursmith was not asked) or ClaimError.
    """
    credential = credential_from_text(text)
    attempt = _attempt(member, address)
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
    data = reply.payload.get("data")
    me = data if isinstance(data, dict) else {}
    return CheckedToken(
        credential,
        org_id=str(me.get("orgId") or "")[:64],
        org_name=str(me.get("orgName") or "")[:200],
        role=str(me.get("role") or "")[:16],
        name=str(me.get("tokenName") or "")[:200],
    )


def _attempt(member: Member | None, address: str) -> ClaimAttempt:
    """Count the attempt before asking Hoursmith, so that a burst cannot exceed the limit. Raises ClaimError."""
    now, alias = timezone.now(), router.db_for_write(ClaimAttempt)
    with transaction.atomic(using=alias):
        # Also on databases with concurrent transactions, each attempt sees those before it.
        acquire_locks(alias, "claim attempts")
        ClaimAttempt.objects.filter(at__lt=now - PER_PERSON_WITHIN).delete()
        of_person = {"member": member} if member is not None else {"member": None, "address": address}
        if ClaimAttempt.objects.filter(**of_person).count() >= REFUSED_PER_PERSON:
            raise ClaimError("Too many rejected tokens. Wait ten minutes, then try again.")
        if ClaimAttempt.objects.filter(at__gte=now - IN_ALL_WITHIN).count() >= REFUSED_IN_ALL:
            raise ClaimError("Too many rejected tokens in the last minute. Wait a minute, then try again.")
        return ClaimAttempt.objects.create(**of_person, at=now)


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


def require_own(member: Member, checked: CheckedToken) -> None:
    """Raise ClaimError unless the token can be the member's own, by its workspace, role and known owner."""
    if not checked.org_id or checked.org_id != member.workspace.org_id:
        raise ClaimError("This token belongs to another workspace. Switch to that workspace to claim it.")
    if checked.role != member.role:
        # A token acts as the membership that created it, so a member's own token has the member's role.
        raise ClaimError(
            f"This token has the role {checked.role}, but yours is {member.role}. Either it is another "
            "member's, or your role changed at Hoursmith; then ask the operator to run members_sync."
        )
    owner = current_issuer().find_token_owner(env=checked.credential.env, prefix=checked.credential.prefix)
    if owner and owner != member.user_ref:
        raise ClaimError("This token belongs to another member of this workspace. Let them know that you have it.")


def claim_checked(*, member: Member, token: TokenNamed, actor: str) -> ClaimResult:
    """Claim a token that was checked to be the member's own, and record it.

    Raises ClaimError if another member has claimed it, which is recorded, or AuditUnavailableError.
    """
    with transaction.atomic(using=router.db_for_write(TokenClaim)):
        known = TokenClaim.objects.filter(env=token.env, prefix=token.prefix).exists()
        claim = claim_token(env=token.env, prefix=token.prefix, member=member, source=VERIFIED)
        is_theirs = claim.member_id == member.pk
        if not known or not is_theirs:
            record_event(
                org_id=member.workspace.org_id,
                org_name=member.workspace.name,
                action="console.token_claim",
                actor=actor,
                target_type="token",
                target_id=token.prefix,
                target_label=token.name,
                token=token,
                result=Result.SUCCEEDED if is_theirs else Result.REFUSED,
            )
    if not is_theirs:
        raise ClaimError(
            f"{claim.masked_token} is already claimed by {claim.member.name}. If you created it, ask an Owner or Admin "
            "to release that claim on the token's page. If not, let them know that you have it."
        )
    return ClaimResult(claim, token.name, is_new=not known)
