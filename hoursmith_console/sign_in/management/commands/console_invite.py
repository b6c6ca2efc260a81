"""Invite a member and print a one-time link."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hoursmith_console.accounts.addresses import normalize_email
from hoursmith_console.sign_in.invitation_views import invitation_path
from hoursmith_console.workspaces.invitations import (
    AddressState,
    InvitationError,
    UnlistedAddressError,
    address_state,
    find_member,
    invite,
)
from hoursmith_console.workspaces.models import Invitation, Member, Role, Workspace
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError

_USED = """
An account with this address already exists. Its user must open the link, sign in and accept the invitation."""
_USED_UNVERIFIED = """
If that account is not theirs, run this again with --new-account: the link then creates a new account, and the
other account loses the address."""


_UNLISTED = """
No member at Hoursmith has the address {email}. It is invited with the role {role}, which holds until the next
members_sync; the audit log says so."""


class Command(BaseCommand):
    help = (
        "Invite a member and print a one-time link. Give it only to them: anyone who opens it becomes that member. "
        "Run members_sync first: an address that no member at Hoursmith has is refused without --force."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="The member's email address at Hoursmith.")
        parser.add_argument(
            "--role", required=True, choices=[role.lower() for role in Role], help="The member's role at Hoursmith."
        )
        parser.add_argument("--workspace", help="The workspace's id, if there is more than one.")
        parser.add_argument(
            "--new-account",
            action="store_true",
            help="Create a new account even if another account uses the address unverified.",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Invite an address that no member at Hoursmith has, as a member with the given role.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = self._workspace(options["workspace"])
        email, role = normalize_email(options["email"]), options["role"].upper()
        try:
            known = find_member(workspace=workspace, email=email)
            if known is not None and known.role != role:
                raise CommandError(f"{email} is {known.role} at Hoursmith, not {role}. Change the role there.")
            invitation, secret = invite(
                workspace=workspace,
                email=email,
                role=role,
                channel=Invitation.Channel.OPERATOR,
                actor=operator(),
                takes_over_address=options["new_account"],
                allow_unlisted=options["force"],
            )
        except UnlistedAddressError as error:
            raise CommandError(f"{error} To invite it anyway, add --force.") from None
        except (AuditUnavailableError, InvitationError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{settings.PUBLIC_URL}{invitation_path(secret)}")
        if not invitation.member.is_listed:
            self.stderr.write(_UNLISTED.format(email=email, role=role))
        state = address_state(email)
        if state == AddressState.VERIFIED or (state == AddressState.UNVERIFIED and not options["new_account"]):
            self.stderr.write(_USED + (_USED_UNVERIFIED if state == AddressState.UNVERIFIED else ""))

    def _workspace(self, org_id: str | None) -> Workspace:
        found = Workspace.objects.filter(org_id=org_id) if org_id else Workspace.objects.all()
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{each.org_id} ({each.name})" for each in Workspace.objects.all()) or "none"
        if not Member.objects.exists():
            raise CommandError(
                "There is no workspace yet. Run members_sync first, with the token of an Owner or Admin."
            )
        raise CommandError(f"Choose a workspace with --workspace. Known: {known}.")
