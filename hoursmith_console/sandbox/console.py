"""Import the sandbox's members into the console, as `members_sync` does for the hosted service."""

import secrets
from dataclasses import dataclass

from hoursmith_console.accounts.addresses import AddressTakenError
from hoursmith_console.sandbox.models import Member, Organization, Role
from hoursmith_console.workspaces.models import Member as ConsoleMember
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace

# Characters that are not confused when typing a password.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Sign-in of a member; `password` only if it was just created."""

    name: str
    email: str
    role: str
    password: str | None


def create_sign_ins(*, org: Organization) -> list[SignIn]:
    """Import the workspace and its members into the console and create their accounts."""
    members = Member.objects.filter(org=org, is_active=True).select_related("user", "org")
    return [_sign_in(member) for member in sorted(members, key=lambda each: Role.values.index(each.role))]


def console_member(member: Member) -> ConsoleMember:
    """Create or update the console's member of `member` and return it."""
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
        # An account of another workspace uses the address; it is not added to this workspace.
        is_new = False
    return SignIn(member.user.name, member.user.email, member.role, password if is_new else None)
