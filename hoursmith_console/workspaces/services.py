"""What changes workspaces, members and their console accounts."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import router, transaction
from django.utils import timezone

from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.events import event_record


def workspace_import(*, org_id: str, name: str, plan: str) -> Workspace:
    """Know the workspace under its Hoursmith id, with the name and plan it has now."""
    workspace, _ = Workspace.objects.update_or_create(org_id=org_id, defaults={"name": name, "plan": plan})
    return workspace


def member_import(*, workspace: Workspace, member_id: str, user_ref: str, name: str, email: str, role: str) -> Member:
    """Know the person `user_ref` as an active member of `workspace`, with the name and role they have now."""
    member, _ = Member.objects.update_or_create(
        workspace=workspace,
        user_ref=user_ref,
        defaults={"member_id": member_id, "name": name, "email": email.lower(), "role": role, "is_active": True},
    )
    return member


def members_replace(*, workspace: Workspace, members: Sequence[Mapping[str, str]], actor: str) -> int:
    """Know exactly `members` (Hoursmith's member objects) as active in `workspace`; how many others no longer are.

    Raises AuditUnavailableError where that cannot be recorded; then everything stays as it was.
    """
    with transaction.atomic(using=router.db_for_write(Member)):
        before = _roles(workspace)
        for each in members:
            # Somebody invited before Hoursmith's list named them keeps their account.
            invited = Member.objects.filter(workspace=workspace, user_ref=_invited_ref(each["email"]))
            invited.update(user_ref=each["userId"])
            member_import(
                workspace=workspace,
                member_id=each["id"],
                user_ref=each["userId"],
                name=each["name"],
                email=each["email"],
                role=each["role"],
            )
        present = [each["userId"] for each in members]
        gone = Member.objects.filter(workspace=workspace, is_active=True).exclude(user_ref__in=present)
        left = gone.update(is_active=False)
        event_record(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.members_sync",
            actor=actor,
            target_type="members",
            target_label=f"{len(members)} members",
            details=_changes(before, _roles(workspace)),
        )
    return left


def _roles(workspace: Workspace) -> dict[str, str]:
    """The role of each active member, by their address."""
    return dict(
        Member.objects.filter(workspace=workspace, is_active=True).order_by("email").values_list("email", "role")
    )


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    changed = [email for email in after if before.get(email, after[email]) != after[email]]
    changes = {
        "joined": [email for email in after if email not in before],
        "left": [email for email in before if email not in after],
        "changed": {email: f"{before[email]} → {after[email]}" for email in changed},
    }
    return {name: change for name, change in changes.items() if change}


def account_invite(*, workspace: Workspace, email: str, role: str, actor: str) -> Member:
    """The member with `email`, with a console account that has no password until its invitation is used.

    Somebody whom Hoursmith's list did not name yet becomes a member with `role`; a known member keeps theirs.
    Raises AuditUnavailableError where that cannot be recorded; then there is no account.
    """
    email = email.lower()
    with transaction.atomic(using=router.db_for_write(Member)):
        member = Member.objects.filter(workspace=workspace, email=email).first()
        if member is None:
            member = member_import(
                workspace=workspace,
                member_id="",
                user_ref=_invited_ref(email),
                name=email.partition("@")[0],
                email=email,
                role=role,
            )
        is_new = account_create(member=member, password=None)
        member.invited_at = timezone.now()
        member.save(update_fields=["invited_at"])
        event_record(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.invite",
            actor=actor,
            target_type="account",
            target_id=str(member.user_id),
            target_label=member.named,
            details={"role": member.role, "is_new": is_new},
        )
    return member


def _invited_ref(email: str) -> str:
    return f"invited:{email.lower()}"[:64]


def account_create(*, member: Member, password: str | None) -> bool:
    """Let `member` sign in with their e-mail address and `password`; True when an account was made.

    A person who already signs in for another workspace keeps that account and password, and sees both.
    """
    if member.user_id is not None:
        return False
    email = member.email.lower()
    with transaction.atomic(using=router.db_for_write(Member)):
        address = EmailAddress.objects.filter(email=email).select_related("user").first()
        if address is not None:
            user = cast(User, address.user)
        else:
            user = User.objects.create_user(username=email, email=email, password=password)
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        member.user = user
        member.save(update_fields=["user"])
    return address is None
