"""Invite members and accept invitations, which is the only way for an account to join a workspace.

A link contains a random secret, of which a digest is stored. It works once, until it expires or the member's address or
role changes. An account also sees the open invitations of its verified addresses without a link.
"""

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import Enum

from django.contrib.auth.models import User
from django.db import router, transaction
from django.db.models import Q
from django.utils import timezone

from hoursmith_console.accounts.addresses import (
    claim_address,
    find_unverified_accounts,
    find_verified_account,
    normalize_email,
    release_address,
    verified_addresses,
    verify_address,
)
from hoursmith_console.accounts.models import EmailVerification
from hoursmith_console.core.texts import one_line
from hoursmith_console.workspaces.account_events import record_account_event, record_member_event
from hoursmith_console.workspaces.models import ACTOR_LENGTH, INVITED, Invitation, Invitations, Member, Workspace
from hoursmith_console.workspaces.services import import_member, link_account

LINK_LIFETIME, OFFER_LIFETIME = timedelta(days=3), timedelta(days=30)


class InvitationError(Exception):
    """A member cannot be invited, or an invitation cannot be accepted; the text says why and what to do."""


class UnlistedAddressError(InvitationError):
    """No member in Hoursmith's list has the address."""

    def __init__(self, email: str) -> None:
        super().__init__(
            f"No member at Hoursmith has the address {email}, as the list was last synced. Check its spelling, or sync"
            " the members first."
        )


class AddressState(Enum):
    """Whether an account uses an address."""

    FREE = "free"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"


def address_state(email: str) -> AddressState:
    """Return whether an account uses `email`, and whether it verified it."""
    if find_verified_account(email) is not None:
        return AddressState.VERIFIED
    return AddressState.UNVERIFIED if find_unverified_accounts(email) else AddressState.FREE


def find_member(*, workspace: Workspace, email: str) -> Member | None:
    """Return the member of `workspace` with `email`: the active one, or else the last who had it.

    Raises InvitationError if two active members have it.
    """
    found = list(Member.objects.filter(workspace=workspace, email=normalize_email(email)).order_by("-is_active", "-pk"))
    if len([member for member in found if member.is_active]) > 1:
        raise InvitationError(
            f"Two members have the address {email} at Hoursmith. Change one there, then run members_sync."
        )
    return found[0] if found else None


def invite(
    *,
    workspace: Workspace,
    email: str,
    role: str,
    channel: Invitation.Channel,
    actor: str,
    takes_over_address: bool = False,
    allow_unlisted: bool = False,
) -> tuple[Invitation, str]:
    """Invite the member with `email`; return the invitation and the secret of its link (empty if it has no link).

    A known member keeps their role. A user who is not in Hoursmith's member list becomes a member with `role` if
    `allow_unlisted`, which the audit entry says; otherwise UnlistedAddressError is raised, so that a mistyped address
    makes no Owner. No account is created. Raises InvitationError and AuditUnavailableError; nothing is changed then.
    """
    secret = "" if channel == Invitation.Channel.CONSOLE else secrets.token_urlsafe(32)
    lifetime = LINK_LIFETIME if secret else OFFER_LIFETIME
    with transaction.atomic(using=router.db_for_write(Member)):
        member = _invitable(workspace, email, role, allow_unlisted)
        _close(Invitation.objects.filter(member=member), Invitation.Outcome.REPLACED)
        invitation = Invitation.objects.create(
            member=member,
            email=member.email,
            role=member.role,
            channel=channel,
            digest=_digest(secret) if secret else None,
            takes_over_address=takes_over_address,
            inviter=one_line(actor, ACTOR_LENGTH),
            expires_at=timezone.now() + lifetime,
        )
        member.invited_at = invitation.created_at
        member.save(update_fields=["invited_at"])
        details: dict[str, object] = {"role": member.role, "channel": invitation.get_channel_display()}
        if not member.is_listed:
            details["is_unlisted"] = True
        record_member_event(member, "console.invite", actor=actor, address="", details=details)
    return invitation, secret


def _invitable(workspace: Workspace, email: str, role: str, allow_unlisted: bool) -> Member:
    member = find_member(workspace=workspace, email=email)
    if not allow_unlisted and (member is None or (member.is_active and not member.is_listed)):
        raise UnlistedAddressError(email)
    if member is None:
        return import_member(
            workspace=workspace,
            member_id="",
            user_ref=f"{INVITED}{uuid.uuid4().hex}",
            name="",
            email=email,
            role=role,
        )
    if not member.is_active:
        raise InvitationError(f"{member.name} is no longer a member at Hoursmith. Invite them there first.")
    if member.access_revoked_at is not None:
        raise InvitationError(f"Console access of {member.name} was removed. Restore it first.")
    if member.user_id is not None:
        raise InvitationError(f"{member.name} already has an account in this workspace.")
    return member


def find_invitation(secret: str) -> Invitation | None:
    """Return the open invitation whose link has `secret`."""
    return _with_member(Invitation.objects.open().filter(digest=_digest(secret))).first()


def get_open_invitation(key: object) -> Invitation | None:
    """Return the open invitation with the primary key `key` from a session; None if there is none."""
    return _with_member(Invitation.objects.open().filter(pk=key)).first() if isinstance(key, int) else None


def list_invitations(emails: Iterable[str], *, opened: object = None) -> list[Invitation]:
    """Return the open invitations of these addresses, and the one with the key `opened`, whose link was opened."""
    wanted = Q(email__in=[normalize_email(email) for email in emails])
    if isinstance(opened, int):
        wanted |= Q(pk=opened)
    return list(_with_member(Invitation.objects.open().filter(wanted)))


def has_open_invitation(user: User) -> bool:
    """Return whether a verified address of the account has an open invitation."""
    return bool(list_invitations(verified_addresses(user)))


def can_create_account(invitation: Invitation) -> bool:
    """Return whether the invitation's link may be used to create a new account with its address."""
    state = address_state(invitation.email)
    takes = invitation.takes_over_address or invitation.channel == Invitation.Channel.MAIL
    return state == AddressState.FREE or (state == AddressState.UNVERIFIED and takes)


def accept_invitation(*, invitation: Invitation, user: User, has_link: bool, address: str) -> None:
    """Add the account of `user` to the workspace of the invitation.

    Without its link, the invitation must be for a verified address of the account; an emailed link verifies the
    address. Raises MembershipError, InvitationError and AuditUnavailableError; nothing is changed then.
    """
    if not has_link and invitation.email not in verified_addresses(user):
        raise InvitationError("This invitation is for an address that your account doesn’t have.")
    with transaction.atomic(using=router.db_for_write(Member)):
        _close_one(invitation, Invitation.Outcome.ACCEPTED)
        link_account(member=invitation.member, user=user)
        proves = has_link and invitation.channel == Invitation.Channel.MAIL
        if proves and find_verified_account(invitation.email) in (None, user):
            _verify(invitation, user)
        _record(invitation, "console.invitation_accept", address=address, channel=invitation.get_channel_display())


def accept_with_new_account(*, invitation: Invitation, user: User, address: str) -> None:
    """Save the new account `user`, which has only a password, and add it to the workspace.

    Raises InvitationError if the invitation has ended or does not allow that, and AuditUnavailableError.
    """
    with transaction.atomic(using=router.db_for_write(Member)):
        _close_one(invitation, Invitation.Outcome.ACCEPTED)
        if not can_create_account(invitation):
            raise InvitationError("Another account uses this address. Sign in to it to accept the invitation.")
        user.save()
        if invitation.channel == Invitation.Channel.MAIL:
            _verify(invitation, user)
        else:
            record_released_addresses(_release_unverified(invitation.email), invitation.email)
            claim_address(user=user, email=invitation.email)
        link_account(member=invitation.member, user=user)
        _record(
            invitation,
            "console.invitation_accept",
            address=address,
            channel=invitation.get_channel_display(),
            is_new=True,
        )


def decline_invitation(*, invitation: Invitation, address: str) -> None:
    """Decline the invitation. Raises InvitationError and AuditUnavailableError."""
    with transaction.atomic(using=router.db_for_write(Member)):
        _close_one(invitation, Invitation.Outcome.DECLINED)
        _record(invitation, "console.invitation_decline", address=address)


def _close_one(invitation: Invitation, outcome: Invitation.Outcome) -> None:
    """Close the invitation. Of two concurrent attempts one gets an InvitationError."""
    is_open = Invitation.objects.open().filter(pk=invitation.pk).exists()
    if not is_open or not _close(Invitation.objects.filter(pk=invitation.pk), outcome):
        raise InvitationError("This invitation is no longer valid. Ask for a new one.")


def _close(invitations: Invitations, outcome: Invitation.Outcome) -> int:
    return invitations.filter(closed_at=None).update(closed_at=timezone.now(), outcome=outcome)


def _verify(invitation: Invitation, user: User) -> None:
    former_holders = verify_address(
        user=user, email=invitation.email, method=EmailVerification.Method.MAIL_LINK, takes_over=True
    )
    record_released_addresses(former_holders, invitation.email)


def _release_unverified(email: str) -> list[User]:
    return [user for user in find_unverified_accounts(email) if release_address(user=user, email=email)]


def record_released_addresses(users: Sequence[User], email: str) -> None:
    """Record for each account that lost an address that it did, but not to which account."""
    for user in users:
        record_account_event(
            user=user,
            action="console.address_lost",
            address="",
            details={"email": email, "reason": "another account verified it"},
            actor="console",
        )


def _with_member(invitations: Invitations) -> Invitations:
    return invitations.select_related("member__workspace").order_by("created_at", "pk")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(invitation: Invitation, action: str, *, address: str, **details: object) -> None:
    member = invitation.member
    record_member_event(member, action, actor=member.display_identity, address=address, details=details)
