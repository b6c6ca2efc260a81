"""Brings the members of a workspace into line with Hoursmith's list.

A member is Hoursmith's user id in a workspace. Name, role and address are what the list says today; an account belongs
to the member, never to the address. Whatever cannot be done is named, and the rest is done all the same.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import Error, router, transaction

from hoursmith_console.accounts.addresses import (
    AddressTakenError,
    claim_address,
    release_address,
    unverify_address,
    verified_addresses,
)
from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.workspaces.member_list import ListedMember, Reading, parse_member_list
from hoursmith_console.workspaces.models import Member, Role, Workspace
from hoursmith_console.workspaces.services import import_member
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import AuditUnavailableError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SyncResult:
    """What came of a synchronization, in words for the operator and the audit log."""

    members: int = 0
    joined: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def details(self) -> dict[str, Any]:
        """Return what an audit entry says."""
        found = {name: getattr(self, name) for name in ("joined", "left", "changed", "moved", "problems")}
        return {name: value for name, value in found.items() if value}


def members_sync(*, workspace: Workspace, members: Sequence[Any], actor: str) -> SyncResult:
    """Know exactly `members`, Hoursmith's member objects, as active in `workspace`.

    Those who left lose access first, in a transaction of their own, and whatever comes after it. Raises MemberListError
    where the list is none, before anything is changed; AuditUnavailableError where the rest could not be recorded and
    was therefore not done.
    """
    reading = parse_member_list(members)
    synced = SyncResult(members=len(reading.members), problems=list(reading.problems))
    synced.left = _leavers_shut_out(workspace, reading)
    try:
        with transaction.atomic(using=router.db_for_write(Member)):
            before = {row.user_ref: row for row in Member.objects.filter(workspace=workspace).select_related("user")}
            for listed in reading.members.values():
                _import(workspace, listed, before.get(listed.user_ref), synced)
            _addresses_move(workspace, before, synced)
            _record(workspace, synced, actor)
    except AuditUnavailableError as error:
        gone = f" No longer a member, and without access now: {', '.join(synced.left)}." if synced.left else ""
        logger.error("A synchronization of members is not on record.%s", gone)
        raise AuditUnavailableError(f"{error}{gone}") from error
    return synced


def _leavers_shut_out(workspace: Workspace, reading: Reading) -> list[str]:
    """Take access from every member whom the list does not name, and end the sessions of those left without any."""
    with transaction.atomic(using=router.db_for_write(Member)):
        rows = list(Member.objects.filter(workspace=workspace).select_for_update(of=("self",)).select_related("user"))
        named = _invited_named(rows, reading)
        leavers = [row for row in rows if row.is_active and row.user_ref not in reading.members and row.pk not in named]
        Member.objects.filter(pk__in=[member.pk for member in leavers]).update(is_active=False)
        for key, user_ref in named.items():
            Member.objects.filter(pk=key).update(user_ref=user_ref)
    for member in leavers:
        user = member.user
        if isinstance(user, User) and not Member.objects.with_access().filter(user=user).exists():
            end_sessions(user=user)
    return sorted(member.email for member in leavers)


def _invited_named(rows: Sequence[Member], reading: Reading) -> dict[int, str]:
    """Return which members, until now only invited, the list names by their address, and as which user.

    Not where an account came by a link without proving the address: it would be given whatever role the list names.
    """
    known = {row.user_ref for row in rows}
    found: dict[int, str] = {}
    for row in rows:
        same = [listed.user_ref for listed in reading.members.values() if listed.email == row.email]
        is_theirs = not isinstance(row.user, User) or row.email in verified_addresses(row.user)
        is_open = not row.is_listed and row.is_active and is_theirs
        if is_open and len(same) == 1 and same[0] not in known and same[0] not in found.values():
            found[row.pk] = same[0]
    return found


def _import(workspace: Workspace, listed: ListedMember, known: Member | None, synced: SyncResult) -> None:
    """Bring one member in, or say why not. A row that the database refuses does not stop the others."""
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


def _addresses_move(workspace: Workspace, before: Mapping[str, Member], synced: SyncResult) -> None:
    """Let accounts follow their members' addresses: first all let go of the old ones, then each takes its new one."""
    rows = list(Member.objects.filter(workspace=workspace).select_related("user"))
    active = [row for row in rows if row.is_active]
    moved = [row for row in active if row.user_ref in before and before[row.user_ref].email != row.email]
    old = {row.pk: before[row.user_ref].email for row in moved}
    for row in moved:
        if isinstance(row.user, User):
            release_address(user=row.user, email=old[row.pk])
    _former_holders_doubt(rows, before, synced)
    for row in moved:
        if not isinstance(row.user, User):
            continue
        try:
            claim_address(user=row.user, email=row.email)
        except AddressTakenError:
            synced.problems.append(
                f"{row.name}'s account cannot sign in with {row.email}: another account uses that address."
            )
            _keep_a_way_in(row.user, old[row.pk])


def _keep_a_way_in(user: User, email: str) -> None:
    """Let the account keep its old address as a name to sign in with, unproven, where nobody else has it."""
    if EmailAddress.objects.filter(user=user).exists():
        return
    try:
        claim_address(user=user, email=email)
    except AddressTakenError:
        logger.warning("An account is left without an address to sign in with.")


def _former_holders_doubt(rows: Sequence[Member], before: Mapping[str, Member], synced: SyncResult) -> None:
    """Forget the proof of an address that a new user has now, where one who left the workspace had it.

    They may be one person who came back, or two: only a new proof tells.
    """
    left = [row for row in rows if not row.is_active and isinstance(row.user, User)]
    new = {row.email: row for row in rows if row.is_active and _is_new_at(row, before)}
    for former in left:
        row = new.get(former.email)
        if row is None or row.user_id == former.user_id:
            continue
        if unverify_address(user=cast(User, former.user), email=former.email):
            synced.problems.append(
                f"{former.email} belongs to another user at Hoursmith now. The account of {former.name}, who left, has "
                "to prove the address again before it is found by it."
            )


def _is_new_at(row: Member, before: Mapping[str, Member]) -> bool:
    """Return whether `row` has its address only since this synchronization."""
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
