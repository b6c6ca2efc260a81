"""Create and update workspaces, members and their console accounts."""

import uuid

from django.contrib.auth.models import User
from django.db import router, transaction

from hoursmith_console.accounts.addresses import claim_address, normalize_email
from hoursmith_console.core.texts import one_line
from hoursmith_console.core.times.zones import find_zone
from hoursmith_console.workspaces.models import Member, Workspace

NAME_LENGTH = 200


class MembershipError(Exception):
    """An account cannot be linked to a member; the text says why."""


def import_workspace(*, org_id: str, name: str, plan: str) -> Workspace:
    """Create or update the workspace with the Hoursmith id `org_id`."""
    facts = {"name": one_line(name, NAME_LENGTH) or org_id, "plan": one_line(plan, 16)}
    workspace, _ = Workspace.objects.update_or_create(org_id=org_id, defaults=facts)
    return workspace


def import_member(*, workspace: Workspace, member_id: str, user_ref: str, name: str, email: str, role: str) -> Member:
    """Create or update Hoursmith's user `user_ref` as an active member of `workspace`."""
    email = normalize_email(email)
    facts = {
        "member_id": member_id,
        "name": one_line(name, NAME_LENGTH) or email.partition("@")[0],
        "email": email,
        "role": role,
        "is_active": True,
    }
    member, _ = Member.objects.update_or_create(workspace=workspace, user_ref=user_ref, defaults=facts)
    return member


def create_account(*, member: Member, password: str | None) -> bool:
    """Create an account for `member` with their email address, unverified, and `password`.

    Return False if they already have an account. Raises AddressTakenError if another account uses the address, which
    does not entitle that account to join the workspace.
    """
    if member.user_id is not None:
        return False
    with transaction.atomic(using=router.db_for_write(Member)):
        user = draft_account()
        user.set_password(password)
        user.save()
        claim_address(user=user, email=member.email)
        link_account(member=member, user=user)
    return True


def draft_account(*, email: str = "", name: str = "") -> User:
    """Return an unsaved account without a usable password.

    Its `username` is random, since accounts are found by their addresses. Email and name serve to reject similar
    passwords; `accounts.addresses` sets the address.
    """
    user = User(username=uuid.uuid4().hex, email=email, first_name=name[:150])
    user.set_unusable_password()
    return user


def set_time_zone(*, user: User, name: str) -> None:
    """Show times to `user` in the zone called `name`, in all their workspaces; empty: in their browser's.

    Not recorded in the audit log: it changes nothing but how pages look to one person. Raises ValueError for a name
    that is no zone.
    """
    if name and find_zone(name) is None:
        raise ValueError(f"No such time zone: {name}")
    Member.objects.filter(user=user).update(time_zone=name)


def link_account(*, member: Member, user: User) -> None:
    """Link the account of `user` to `member`.

    Raises MembershipError if the member has another account, or the account belongs to another member of the workspace.
    """
    with transaction.atomic(using=router.db_for_write(Member)):
        current = Member.objects.select_for_update().get(pk=member.pk)
        if current.user_id not in (None, user.pk):
            raise MembershipError(f"{current.name} already has another account.")
        others = Member.objects.filter(workspace_id=current.workspace_id, user=user).exclude(pk=current.pk)
        present = others.filter(is_active=True).first()
        if present is not None:
            raise MembershipError(f"Your account is already linked to {present.display_identity} in this workspace.")
        # The former membership keeps its history; the account moves to the new one.
        others.update(user=None)
        current.user = user
        current.save(update_fields=["user"])
    member.user = user
