"""Allow or deny an authorization request: create the grant and the code for the assistant."""

import base64
import hashlib
import os
from dataclasses import dataclass, field

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from mcpbridge.activity.connections import open_connection
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.grants import config
from mcpbridge.grants.carrying import Pending
from mcpbridge.grants.envelopes import DIGEST_LENGTH, Code, Envelope, Flags, Kind, bound_to, seal
from mcpbridge.grants.requests import AuthorizationRequest
from mcpbridge.models import Grant, ObservedConnection, TokenBlock

FIRST_GENERATION = 1


class AlreadyDecidedError(Exception):
    """The page was decided before, for example in another tab."""

    def __init__(self) -> None:
        super().__init__("This request was decided already. Go back to the assistant and connect it again.")


class ForeignConnectionError(Exception):
    """The requested address is not one of a connection of the token's workspace."""

    def __init__(self) -> None:
        super().__init__(
            "The assistant's address contains the id of a connection that this token's workspace does not have."
            " Copy the address from the connection's page again."
        )


@dataclass(frozen=True, slots=True)
class Allowed:
    """A new grant, and the address with its code to which the browser must go now."""

    grant: Grant
    address: str = field(repr=False)


def refuse_blocked(credential: Credential) -> None:
    """Raise CredentialError if the token is blocked."""
    if TokenBlock.objects.filter(env=credential.env, prefix=credential.prefix, lifted_at=None).exists():
        raise CredentialError(CredentialErrorCode.BLOCKED, token=credential.token_ref)


def deny(request: AuthorizationRequest) -> str:
    """Return the address that tells the assistant that its user denied access. Nothing is stored."""
    return request.answer(error="access_denied", error_description="The user denied access.")


def allow(pending: Pending, *, actor: str, connection: str = "", address: str = "", request_id: str = "") -> Allowed:
    """Create the grant of `pending` and a code for it, and record who allowed it.

    `connection` is the id of the connection of the workspace under which the grant is shown; empty for the one in the
    requested address, else for a new one. `address` and `request_id` are the browser's, for the audit log.
    Raises CredentialError (blocked meanwhile), ForeignConnectionError, AlreadyDecidedError or AuditUnavailableError;
    then nothing is created.
    """
    request, now = pending.request, timezone.now()
    with transaction.atomic(using=router.db_for_write(Grant)):
        refuse_blocked(pending.credential)
        grant = Grant(
            id=pending.grant_id,
            env=pending.credential.env,
            prefix=pending.credential.prefix,
            org_id=pending.identity.org_id,
            token_name=pending.identity.token_name[:200],
            role=pending.identity.role[:16],
            connection=connection or _connection(pending),
            client_name=request.client.name[:120],
            client_host=request.client.host,
            client_digest=request.client.digest,
            redirect_host=request.redirect_host,
            is_read_only=pending.is_read_only,
            authorized_by=actor[:200],
            created_at=now,
            expires_at=now + pending.lasts,
            generation=FIRST_GENERATION,
        )
        try:
            with transaction.atomic():
                grant.save(force_insert=True)
        except IntegrityError:
            raise AlreadyDecidedError from None
        _record(grant, pending, address=address, request_id=request_id)
    code = seal(_code(grant, pending))
    return Allowed(grant, request.answer(code=code.reveal()))


def redirect_digest(address: str) -> bytes:
    """Return what a code keeps of the redirect address."""
    return hashlib.sha256(address.encode()).digest()[:DIGEST_LENGTH]


def _code(grant: Grant, pending: Pending) -> Envelope:
    request = pending.request
    flags = Flags.READ_ONLY if grant.is_read_only else Flags.NONE
    if request.resource.is_read_only:
        flags |= Flags.RESOURCE_READ_ONLY
    if request.resource.connection:
        flags |= Flags.RESOURCE_CONNECTION
    code = Code(
        code_id=os.urandom(16),
        client=request.client.digest,
        redirect=redirect_digest(request.redirect),
        challenge=base64.urlsafe_b64decode(request.challenge + "="),
    )
    return Envelope(
        kind=Kind.CODE,
        credential=pending.credential,
        expires_at=int((grant.created_at + config.CODE_LIFETIME).timestamp()),
        grant=grant.id,
        generation=grant.generation,
        flags=flags,
        connection=grant.connection,
        bound=bound_to(code),
    )


def _connection(pending: Pending) -> str:
    """Return the id of the connection in the requested address, or of a new one. Raises ForeignConnectionError."""
    org_id, slug = pending.identity.org_id, pending.request.resource.connection
    if not slug:
        return open_connection(org_id=org_id).slug
    if not ObservedConnection.objects.filter(slug=slug, org_id=org_id).exists():
        raise ForeignConnectionError
    return slug


def _record(grant: Grant, pending: Pending, *, address: str, request_id: str) -> None:
    record_event(
        org_id=grant.org_id,
        org_name=pending.identity.org_name,
        action="console.connection_authorize",
        actor=grant.authorized_by,
        target_type="grant",
        target_id=grant.id,
        target_label=grant.client_name,
        details={
            "access": "read only" if grant.is_read_only else "full",
            "expires": grant.expires_at.isoformat(timespec="seconds"),
            "answer sent to": grant.redirect_host,
            "connection": grant.connection,
        },
        token=TokenNamed(grant.env, grant.prefix, grant.token_name),
        address=address,
        request_id=request_id,
    )
