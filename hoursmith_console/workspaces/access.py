"""Who may come into the console and as what: shutting out, letting in, signing out, auditors. Each is recorded."""

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
    """Whether `actor` decides about `target`'s way into the console: an Admin not about an Owner's."""
    if not actor.administers or actor.workspace_id != target.workspace_id or actor.pk == target.pk:
        return False
    return target.role != Role.OWNER or actor.role == Role.OWNER


def can_invite_as(actor: Member, role: str) -> bool:
    """Whether `actor` may bring somebody in as `role`, until Hoursmith's list says what they are."""
    return actor.administers and (role in (Role.MANAGER, Role.MEMBER) or actor.role == Role.OWNER)


def revoke_access(*, member: Member, actor: str) -> None:
    """Close the console to `member` at once, whatever Hoursmith says. Their tokens are untouched.

    Raises AuditUnavailableError where that cannot be recorded; then they stay in.
    """
    with _recorded(member, "console.access_close", actor):
        member.access_revoked_at, member.access_revoked_by, member.is_auditor = timezone.now(), actor, False
        member.save(update_fields=["access_revoked_at", "access_revoked_by", "is_auditor"])
        # Else a link from before would open again with the console.
        open_ones = Invitation.objects.filter(member=member, closed_at=None)
        open_ones.update(closed_at=timezone.now(), outcome=Invitation.Outcome.WITHDRAWN)
        if isinstance(member.user, User) and not Member.objects.with_access().filter(user=member.user).exists():
            end_sessions(user=member.user)


def restore_access(*, member: Member, actor: str) -> None:
    """Let `member` into the console again. Raises AuditUnavailableError."""
    with _recorded(member, "console.access_open", actor):
        member.access_revoked_at, member.access_revoked_by = None, ""
        member.save(update_fields=["access_revoked_at", "access_revoked_by"])


def sign_out_member(*, member: Member, actor: str) -> int:
    """End every session of `member`; how many there were. Raises AuditUnavailableError."""
    details: dict[str, Any] = {}
    with _recorded(member, "console.member_sign_out", actor, details):
        details["ended"] = end_sessions(user=member.user) if isinstance(member.user, User) else 0
    return int(details["ended"])


def add_auditor(*, member: Member, actor: str) -> None:
    """Let `member` read everything of the workspace in the console and change nothing. Raises AuditUnavailableError."""
    with _recorded(member, "console.auditor_appoint", actor):
        member.is_auditor = True
        member.save(update_fields=["is_auditor"])


def remove_auditor(*, member: Member, actor: str) -> None:
    """Give `member` back what their role at Hoursmith lets them see and do. Raises AuditUnavailableError."""
    with _recorded(member, "console.auditor_dismiss", actor):
        member.is_auditor = False
        member.save(update_fields=["is_auditor"])


@contextmanager
def _recorded(member: Member, action: str, actor: str, details: Mapping[str, Any] | None = None) -> Iterator[None]:
    """One transaction for a change and, last, its record."""
    with transaction.atomic(using=router.db_for_write(Member)):
        yield
        record_member_event(member, action, actor=actor, details=details)
