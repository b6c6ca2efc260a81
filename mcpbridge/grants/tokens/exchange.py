"""Exchange codes and refresh envelopes for access envelopes, and revoke them (OAuth 2.1 sections 3.2 and 4, RFC 7009).

The grant's row is locked meanwhile, so that of two requests at once one counts, on whichever machine.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from mcpbridge.core.credential import Credential
from mcpbridge.grants import config
from mcpbridge.grants.clients import client_digest
from mcpbridge.grants.decisions import redirect_digest
from mcpbridge.grants.ending import end_grant
from mcpbridge.grants.envelopes import Envelope, Flags, Kind, Sealed, seal, unseal
from mcpbridge.grants.resources import READ, WRITE, Resource, resource_named
from mcpbridge.grants.tokens.generations import Step, next_step
from mcpbridge.models import EndReason, Grant, TokenBlock, UsedCode

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
# Used codes are kept for much longer than a code is valid, also if the machines' clocks differ.
_USED_CODES_KEPT = timedelta(minutes=10)
_ASSISTANT = "The assistant"


class TokenError(Exception):
    """The request is refused; `code` is that of RFC 6749 section 5.2, the text is for the user of the assistant."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class TokenState(Enum):
    """What Hoursmith's `/me` says of a token."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    # Hoursmith cannot be asked now; each call is checked by it anyway.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Issued:
    """What a client gets: two envelopes, the lifetime of the first in seconds, and the scope."""

    access: Sealed
    refresh: Sealed
    expires_in: int
    scope: str


def redeem_code(
    *, client_id: str, code: str, verifier: str, redirect: str | None, resource: str | None = None
) -> Issued:
    """Exchange a code, once; a second use ends the grant. Raises TokenError or AuditUnavailableError."""
    now = timezone.now()
    envelope = unseal(Kind.CODE, code)
    if envelope is None or envelope.is_expired(now.timestamp()):
        raise _invalid_grant("The code is not valid, or more than a minute old.")
    bound = envelope.code
    if not hmac.compare_digest(bound.client, client_digest(client_id)):
        raise _invalid_grant("The code was issued to another client.")
    # Absent in OAuth 2.1; where a client still sends it, it must be the same (RFC 6749 section 4.1.3).
    if redirect is not None and not hmac.compare_digest(bound.redirect, redirect_digest(redirect)):
        raise _invalid_grant("The redirect_uri is not the one of the authorization request.")
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_challenge(verifier), bound.challenge):
        raise _invalid_grant("The code_verifier does not match the code_challenge.")
    _check_resource(envelope, resource)
    with transaction.atomic(using=router.db_for_write(Grant)):
        grant = _locked(envelope.grant)
        # A grant has one code; the row outlasts the list of used ones, whatever happens to the clock.
        if grant.redeemed_at is None and _use(bound.code_id, grant, now):
            _check_live(grant, now)
            grant.redeemed_at = grant.rotated_at = now
            grant.save(update_fields=["redeemed_at", "rotated_at"])
            return _issued(grant, envelope, now=now)
        end_grant(grant=grant, why=EndReason.CODE_REUSED, actor=_ASSISTANT)
    raise _invalid_grant("The code was used before, so the access that it gave has ended. Connect again.")


def refresh(
    *,
    client_id: str,
    token: str,
    scope: str | None = None,
    resource: str | None = None,
    state_of: Callable[[Credential], TokenState],
) -> Issued:
    """Exchange a refresh envelope. `state_of` asks Hoursmith whether the token is still accepted.

    A token that Hoursmith rejects, or an old envelope, ends the grant. Raises TokenError or AuditUnavailableError.
    """
    now = timezone.now()
    envelope = unseal(Kind.REFRESH, token)
    if envelope is None or envelope.is_expired(now.timestamp()):
        raise _invalid_grant("The refresh token is not valid, or has expired. Connect again.")
    if not hmac.compare_digest(envelope.bound, client_digest(client_id)):
        raise _invalid_grant("The refresh token was issued to another client.")
    _check_resource(envelope, resource)
    is_read_only = _is_narrowed(envelope, scope)
    # Before Hoursmith is asked: an ended grant must not be a way to ask it.
    with transaction.atomic(using=router.db_for_write(Grant)):
        _check_live(_locked(envelope.grant), now)
    state = state_of(envelope.credential)
    with transaction.atomic(using=router.db_for_write(Grant)):
        grant = _locked(envelope.grant)
        _check_live(grant, now)
        why = EndReason.TOKEN_REVOKED
        if state is not TokenState.REJECTED:
            step = next_step(Step(grant.generation, grant.rotated_at or now), envelope.generation, now=now)
            if step is not None:
                grant.generation, grant.rotated_at = step
                grant.save(update_fields=["generation", "rotated_at"])
                return _issued(grant, envelope, now=now, is_read_only=is_read_only)
            why = EndReason.REFRESH_REUSED
        end_grant(grant=grant, why=why, actor=_ASSISTANT)
    raise _invalid_grant(f"{why.label}, so this access has ended. Connect again.")


def revoke(*, client_id: str, token: str) -> bool:
    """End the grant of an access or refresh envelope; return False if there was nothing to end.

    Raises AuditUnavailableError; then the grant continues.
    """
    envelope = unseal(Kind.REFRESH, token) or unseal(Kind.ACCESS, token)
    if envelope is None:
        return False
    grant = Grant.objects.filter(pk=envelope.grant, client_digest=client_digest(client_id)).first()
    return grant is not None and end_grant(grant=grant, why=EndReason.ASSISTANT, actor=_ASSISTANT)


def _issued(grant: Grant, envelope: Envelope, *, now: datetime, is_read_only: bool = False) -> Issued:
    """Seal the envelopes of the grant's current generation; none outlives the grant."""
    ends_at = int(grant.expires_at.timestamp())
    expires_at = min(int((now + config.access_lifetime()).timestamp()), ends_at)
    refresh = replace(
        envelope,
        kind=Kind.REFRESH,
        expires_at=ends_at,
        generation=grant.generation,
        bound=bytes(grant.client_digest),
    )
    flags = envelope.flags | Flags.READ_ONLY if is_read_only else envelope.flags
    access = replace(refresh, kind=Kind.ACCESS, expires_at=expires_at, flags=flags, bound=b"")
    return Issued(
        access=seal(access),
        refresh=seal(refresh),
        expires_in=max(0, expires_at - int(now.timestamp())),
        scope=READ if access.is_read_only else f"{READ} {WRITE}",
    )


def _use(code_id: bytes, grant: Grant, now: datetime) -> bool:
    """Mark the code as used; return False if it was."""
    UsedCode.objects.filter(used_at__lt=now - _USED_CODES_KEPT).delete()
    try:
        with transaction.atomic():
            UsedCode.objects.create(digest=hashlib.sha256(code_id).hexdigest(), grant=grant, used_at=now)
    except IntegrityError:
        return False
    return True


def _locked(grant_id: str) -> Grant:
    grant = Grant.objects.select_for_update().filter(pk=grant_id).first()
    if grant is None:
        raise _invalid_grant("This access is not known any more. Connect again.")
    return grant


def _check_live(grant: Grant, now: datetime) -> None:
    if grant.ended_at is not None or now >= grant.expires_at:
        raise _invalid_grant("This access has ended. Connect again.")
    if TokenBlock.objects.filter(env=grant.env, prefix=grant.prefix, lifted_at=None).exists():
        raise _invalid_grant("The token is blocked in the Hoursmith console. Ask an admin of the workspace.")


def _check_resource(envelope: Envelope, said: str | None) -> None:
    """Raise TokenError unless `said` is absent or the resource that the authorization request named."""
    if said is None:
        return
    asked = Resource(
        connection=envelope.connection if Flags.RESOURCE_CONNECTION in envelope.flags else "",
        is_read_only=Flags.RESOURCE_READ_ONLY in envelope.flags,
    )
    if resource_named(said) != asked:
        raise TokenError("invalid_target", "The resource is not the one of the authorization request.")


def _is_narrowed(envelope: Envelope, scope: str | None) -> bool:
    """Return whether the client asks for less than it has; raise TokenError if it asks for more."""
    if scope is None:
        return False
    asked = set(scope.split())
    if WRITE in asked and envelope.is_read_only:
        raise TokenError("invalid_scope", f"This access is read only: {WRITE} was not granted.")
    return READ in asked and WRITE not in asked


def _challenge(verifier: str) -> bytes:
    return hashlib.sha256(verifier.encode()).digest()


def _invalid_grant(text: str) -> TokenError:
    return TokenError("invalid_grant", text)
