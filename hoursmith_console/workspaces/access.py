"""Console access of members: revoke, restore, sign out, add and remove auditors. Each change is recorded."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import router, transaction
from django.utils import timezone

from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.workspaces.account_events import record_member_event
from hoursmith_console.workspaces.models import Invitation, Member, Role


def can_manage_member(actor: Member, target: Member) -> bool:
    """Return whether `actor` may change `target`'s console access; an Admin may not change an Owner's."""
    if not actor.administers or actor.workspace_id != target.workspace_id or actor.pk == target.pk:
        return False
    return target.role != Role.OWNER or actor.role == Role.OWNER


def can_invite_as(actor: Member, role: str) -> bool:
    """Return whether `actor` may invite a member as `role`, which counts until the next sync."""
    return actor.administers and (role in (Role.MANAGER, Role.MEMBER) or actor.role == Role.OWNER)


def revoke_access(*, member: Member, actor: str) -> None:
    """Revoke `member`'s console access immediately, regardless of Hoursmith. Their tokens stay valid.

    Raises AuditUnavailableError if that cannot be recorded; access is then unchanged.
    """
    with _recorded(member, "console.access_close", actor):
        member.access_revoked_at, member.access_revoked_by, member.is_auditor = timezone.now(), actor, False
        member.save(update_fields=["access_revoked_at", "access_revoked_by", "is_auditor"])
        # Otherwise an earlier link would work again once access is restored.
        open_ones = Invitation.objects.filter(member=member, closed_at=None)
        open_ones.update(closed_at=timezone.now(), outcome=Invitation.Outcome.WITHDRAWN)
        if isinstance(member.user, User) and not Member.objects.with_access().filter(user=member.user).exists():
            end_sessions(user=member.user)


def restore_access(*, member: Member, actor: str) -> None:
    """Restore `member`'s console access. Raises AuditUnavailableError."""
    with _recorded(member, "console.access_open", actor):
        member.access_revoked_at, member.access_revoked_by = None, ""
        member.save(update_fields=["access_revoked_at", "access_revoked_by"])


def sign_out_member(*, member: Member, actor: str) -> int:
    """End all sessions of `member` and return how many were active. Raises AuditUnavailableError."""
    details: dict[str, Any] = {}
    with _recorded(member, "console.member_sign_out", actor, details):
        details["ended"] = end_sessions(user=member.user) if isinstance(member.user, User) else 0
    return int(details["ended"])


def add_auditor(*, member: Member, actor: str) -> None:
    """Give `member` read-only access to the whole workspace. Raises AuditUnavailableError."""
    with _recorded(member, "console.auditor_appoint", actor):
        member.is_auditor = True
        member.save(update_fields=["is_auditor"])


def remove_auditor(*, member: Member, actor: str) -> None:
    """Give `member` the access of their Hoursmith role again. Raises AuditUnavailableError."""
    with _recorded(member, "console.auditor_dismiss", actor):
        member.is_auditor = False
        member.save(update_fields=["is_auditor"])


@contextmanager
def _recorded(member: Member, action: str, actor: str, details: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Run a change and then record it, in one transaction."""
    with transaction.atomic(using=router.db_for_write(Member)):
        yield
        record_member_event(member, action, actor=actor, details=details)
