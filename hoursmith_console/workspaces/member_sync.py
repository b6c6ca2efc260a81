"""Sync the members of a workspace with Hoursmith's list.

A member is a Hoursmith user id in a workspace. Name, role and address are updated from the list; an account belongs to
the member, never to the address. Problems are reported and do not stop the rest of the sync.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import Error, router, transaction
from django.utils import timezone

from hoursmith_console.accounts.addresses import (
    AddressTakenError,
    claim_address,
    release_address,
    unverify_address,
    verified_addresses,
)
from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.workspaces.member_list import ListedMember, ParsedMembers, parse_member_list
from hoursmith_console.workspaces.models import Member, Role, Workspace
from hoursmith_console.workspaces.services import import_member
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import AuditUnavailableError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SyncResult:
    """Result of a sync, as text for the operator and the audit log."""

    members: int = 0
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def details(self) -> dict[str, Any]:
        """Return the details of the audit entry."""
        found = {name: getattr(self, name) for name in ("joined", "left", "changed", "moved", "problems")}
        return {name: value for name, value in found.items() if value}


def sync_members(*, workspace: Workspace, members: Sequence[Any], actor: str) -> SyncResult:
    """Make exactly `members`, Hoursmith's member objects, active in `workspace`.

    Former members lose access first, in a transaction of their own, even if the rest fails. Raises MemberListError
    before any change if the list is invalid, and AuditUnavailableError if the rest could not be recorded and was
    therefore rolled back.
    """
    parsed = parse_member_list(members)
    synced = SyncResult(members=len(parsed.members), problems=list(parsed.problems))
    synced.left = _revoke_leavers(workspace, parsed)
    try:
        with transaction.atomic(using=router.db_for_write(Member)):
            before = {row.user_ref: row for row in Member.objects.filter(workspace=workspace).select_related("user")}
            for listed in parsed.members.values():
                _import(workspace, listed, before.get(listed.user_ref), synced)
            _update_addresses(workspace, before, synced)
            workspace.members_synced_at = timezone.now()
            workspace.save(update_fields=["members_synced_at"])
            _record(workspace, synced, actor)
    except AuditUnavailableError as error:
        gone = f" Access removed, no longer a member: {', '.join(synced.left)}." if synced.left else ""
        logger.error("A sync of members could not be recorded.%s", gone)
        raise AuditUnavailableError(f"{error}{gone}") from error
    return synced


def _revoke_leavers(workspace: Workspace, parsed: ParsedMembers) -> list[str]:
    """Deactivate members who are not in the list, and end the sessions of accounts left without any workspace."""
    with transaction.atomic(using=router.db_for_write(Member)):
        rows = list(Member.objects.filter(workspace=workspace).select_for_update(of=("self",)).select_related("user"))
        named = _match_invited(rows, parsed)
        leavers = [row for row in rows if row.is_active and row.user_ref not in parsed.members and row.pk not in named]
        Member.objects.filter(pk__in=[member.pk for member in leavers]).update(is_active=False)
        for key, user_ref in named.items():
            Member.objects.filter(pk=key).update(user_ref=user_ref)
    for member in leavers:
        user = member.user
        if isinstance(user, User) and not Member.objects.with_access().filter(user=user).exists():
            end_sessions(user=user)
    return sorted(member.email for member in leavers)


def _match_invited(rows: Sequence[Member], parsed: ParsedMembers) -> dict[int, str]:
    """Return user ids from the list for members who were only invited, matched by address.

    Skip accounts that joined by a link without verifying the address: they would get the role of the listed user.
    """
    known = {row.user_ref for row in rows}
    found: dict[int, str] = {}
    for row in rows:
        same = [listed.user_ref for listed in parsed.members.values() if listed.email == row.email]
        is_theirs = not isinstance(row.user, User) or row.email in verified_addresses(row.user)
        is_open = not row.is_listed and row.is_active and is_theirs
        if is_open and len(same) == 1 and same[0] not in known and same[0] not in found.values():
            found[row.pk] = same[0]
    return found


def _import(workspace: Workspace, listed: ListedMember, known: Member | None, synced: SyncResult) -> None:
    """Import one member, or report why not. A row that the database refuses does not stop the others."""
    try:
        with transaction.atomic(using=router.db_for_write(Member)):
            member = _imported(workspace, listed, known)
    except Error as error:
        synced.problems.append(
            f"{listed.name} ({listed.email or listed.user_ref}) was not imported: {type(error).__name__}."
        )
        return
    if member is None:
        return
    if known is None or not known.is_active:
        synced.joined.append(member.email)
    elif known.role != member.role:
        synced.changed[member.email] = f"{known.role} → {member.role}"
    if known is not None and known.email != member.email:
        synced.moved[known.email] = member.email


def _imported(workspace: Workspace, listed: ListedMember, known: Member | None) -> Member | None:
    if known is None and not listed.email:
        return None
    return import_member(
        workspace=workspace,
        member_id=listed.member_id,
        user_ref=listed.user_ref,
        name=listed.name or (known.name if known else ""),
        email=listed.email or (known.email if known else ""),
        role=listed.role or Role.MEMBER,
    )


def _update_addresses(workspace: Workspace, before: Mapping[str, Member], synced: SyncResult) -> None:
    """Update accounts to their members' new addresses: release all former ones first, so that addresses can swap."""
    rows = list(Member.objects.filter(workspace=workspace).select_related("user"))
    active = [row for row in rows if row.is_active]
    moved = [row for row in active if row.user_ref in before and before[row.user_ref].email != row.email]
    old = {row.pk: before[row.user_ref].email for row in moved}
    for row in moved:
        if isinstance(row.user, User):
            release_address(user=row.user, email=old[row.pk])
    _unverify_former_holders(rows, before, synced)
    for row in moved:
        if not isinstance(row.user, User):
            continue
        try:
            claim_address(user=row.user, email=row.email)
        except AddressTakenError:
            synced.problems.append(
                f"{row.name}'s account cannot sign in with {row.email}: another account uses that address."
            )
            _keep_old_address(row.user, old[row.pk])


def _keep_old_address(user: User, email: str) -> None:
    """Keep the account's former address as an unverified sign-in name, if no other account uses it."""
    if EmailAddress.objects.filter(user=user).exists():
        return
    try:
        claim_address(user=user, email=email)
    except AddressTakenError:
        logger.warning("An account has no address to sign in with.")


def _unverify_former_holders(rows: Sequence[Member], before: Mapping[str, Member], synced: SyncResult) -> None:
    """Unverify an address that a new user has, if a former member's account had verified it.

    They may or may not be the same person; only a new verification tells.
    """
    left = [row for row in rows if not row.is_active and isinstance(row.user, User)]
    new = {row.email: row for row in rows if row.is_active and _is_new_at(row, before)}
    for former in left:
        row = new.get(former.email)
        if row is None or row.user_id == former.user_id:
            continue
        if unverify_address(user=cast(User, former.user), email=former.email):
            synced.problems.append(
                f"{former.email} now belongs to another user at Hoursmith. {former.name}, a former member, must verify "
                "the address again to use it with their account."
            )


def _is_new_at(row: Member, before: Mapping[str, Member]) -> bool:
    """Return whether `row` got its address in this sync."""
    known = before.get(row.user_ref)
    return known is None or known.email != row.email


def _record(workspace: Workspace, synced: SyncResult, actor: str) -> None:
    record_event(
        org_id=workspace.org_id,
        org_name=workspace.name,
        action="console.members_sync",
        actor=actor,
        target_type="members",
        target_label=f"{synced.members} members",
        details=synced.details(),
    )
