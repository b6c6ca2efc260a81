"""Makes the sandbox's people known to the console, which otherwise learns of them from the hosted service."""

import secrets
from dataclasses import dataclass

from hoursmith_console.accounts.addresses import AddressTakenError
from hoursmith_console.sandbox.models import Member, Organization, Role
from hoursmith_console.workspaces.models import Member as ConsoleMember
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace

# Letters that nobody mistakes for one another when typing a password off a terminal.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How one person gets into the console; `password` only where it was made just now."""

    name: str
    email: str
    role: str
    password: str | None


def create_sign_ins(*, org: Organization) -> list[SignIn]:
    """Make the workspace and its members known to the console, each with an account."""
    members = Member.objects.filter(org=org, is_active=True).select_related("user", "org")
    return [_sign_in(member) for member in sorted(members, key=lambda each: Role.values.index(each.role))]


def console_member(member: Member) -> ConsoleMember:
    """The console's record of `member`, up to date."""
    org = member.org
    return import_member(
        workspace=import_workspace(org_id=str(org.pk), name=org.name, plan=org.plan),
        member_id=str(member.pk),
        user_ref=str(member.user_id),
        name=member.user.name,
        email=member.user.email,
        role=member.role,
    )


def _sign_in(member: Member) -> SignIn:
    password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    try:
        is_new = create_account(member=console_member(member), password=password)
    except AddressTakenError:
        # Another workspace's account uses the address; its user is not asked to come in here.
        is_new = False
    return SignIn(member.user.name, member.user.email, member.role, password if is_new else None)
