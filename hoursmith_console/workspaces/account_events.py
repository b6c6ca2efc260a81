"""Record sign-ins, failed sign-ins and account changes in the audit log of each workspace of the account."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from hoursmith_console.accounts.addresses import find_account
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import record_event
from mcpbridge.models import Result


def record_sign_in(*, user: User, method: str, address: str) -> None:
    """Record that `user` signs in by `method` (such as "password and totp"), and when they last did.

    Raises AuditUnavailableError; the sign-in must then be refused.
    """
    memberships = _memberships(user)
    for member in memberships:
        record_member_event(
            member, "console.sign_in", actor=member.display_identity, address=address, details={"method": method}
        )
    ours = Member.objects.filter(pk__in=[member.pk for member in memberships])
    ours.update(previous_sign_in_at=F("signed_in_at"), signed_in_at=timezone.now())


def record_sign_out(*, user: User, address: str) -> None:
    """Record that `user` signs out. Raises AuditUnavailableError."""
    for member in _memberships(user):
        record_member_event(member, "console.sign_out", actor=member.display_identity, address=address)


def record_sign_in_failure(*, email: str, address: str, method: str = "") -> None:
    """Record a failed sign-in to the account with the address `email`, if there is one.

    If two accounts use the address unverified, record nothing: one user would learn of attempts on the other account.
    Attempts over the sign-in page's rate limit are not recorded. Raises AuditUnavailableError.
    """
    user = find_account(email)
    if user is not None:
        record_account_failure(user=user, address=address, method=method)


def record_account_failure(*, user: User, address: str, method: str = "") -> None:
    """Record a failed sign-in to the account of `user`. Raises AuditUnavailableError."""
    details = {"method": method} if method else None
    for member in _memberships(user):
        record_member_event(
            member, "console.sign_in_failed", actor="", address=address, details=details, result=Result.REFUSED
        )


def record_account_event(
    *, user: User, action: str, address: str, details: Mapping[str, Any] | None = None, actor: str = ""
) -> None:
    """Record that `user`, or else `actor`, did `action` to the account of `user`.

    Raises AuditUnavailableError; the change must then not be made.
    """
    for member in _memberships(user):
        record_member_event(member, action, actor=actor or member.display_identity, address=address, details=details)


def _memberships(user: User) -> list[Member]:
    # Always in the same order, so that two users of the same workspaces cannot deadlock.
    found = Member.objects.with_access().filter(user_id=user.pk).select_related("workspace")
    return sorted(found, key=lambda member: member.workspace.org_id)


def record_member_event(
    member: Member,
    action: str,
    *,
    actor: str,
    address: str = "",
    details: Mapping[str, Any] | None = None,
    result: Result = Result.SUCCEEDED,
) -> None:
    """Record `action` on the account of `member` in their workspace. Raises AuditUnavailableError."""
    record_event(
        org_id=member.workspace.org_id,
        org_name=member.workspace.name,
        action=action,
        actor=actor,
        target_type="account",
        target_id=str(member.user_id or ""),
        target_label=member.display_identity,
        details=details,
        result=result,
        address=address,
    )
