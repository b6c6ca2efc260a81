"""What changes workspaces, members and their console accounts."""

from typing import cast

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import router, transaction

from hoursmith_console.workspaces.models import Member, Workspace


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


def account_create(*, member: Member, password: str) -> bool:
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
