"""Lets a member into the console."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hoursmith_console.accounts.addresses import normalize_email
from hoursmith_console.sign_in.invitation_views import invitation_path
from hoursmith_console.workspaces.invitations import AddressState, InvitationError, address_state, find_member, invite
from hoursmith_console.workspaces.models import Invitation, Member, Role, Workspace
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError

_USED = """
An account uses this address already. Its user signs in and accepts the invitation with the link; nobody else can."""
_USED_UNPROVEN = """
If that account is not theirs, run this again with --new-account: the link then makes an account of their own, and
the other one loses the address."""


class Command(BaseCommand):
    help = (
        "Invite a member and print a one-time link for them. Hand it to nobody else: whoever opens it becomes that "
        "member. Members come from members_sync; where none has this address, one is made with the role given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="The member's e-mail address at Hoursmith.")
        parser.add_argument("--role", required=True, choices=[role.lower() for role in Role], help="Their role there.")
        parser.add_argument("--workspace", help="The workspace's id, where there is more than one.")
        parser.add_argument(
            "--new-account",
            action="store_true",
            help="Make an account of their own where another account uses the address without having proven it.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = self._workspace(options["workspace"])
        email, role = normalize_email(options["email"]), options["role"].upper()
        try:
            known = find_member(workspace=workspace, email=email)
            if known is not None and known.role != role:
                raise CommandError(f"{email} is {known.role} at Hoursmith, not {role}. Roles are changed there.")
            _, secret = invite(
                workspace=workspace,
                email=email,
                role=role,
                channel=Invitation.Channel.OPERATOR,
                actor=operator(),
                takes_over_address=options["new_account"],
            )
        except (AuditUnavailableError, InvitationError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{settings.PUBLIC_URL}{invitation_path(secret)}")
        state = address_state(email)
        if state == AddressState.VERIFIED or (state == AddressState.UNVERIFIED and not options["new_account"]):
            self.stderr.write(_USED + (_USED_UNPROVEN if state == AddressState.UNVERIFIED else ""))

    def _workspace(self, org_id: str | None) -> Workspace:
        found = Workspace.objects.filter(org_id=org_id) if org_id else Workspace.objects.all()
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{each.org_id} ({each.name})" for each in Workspace.objects.all()) or "none"
        if not Member.objects.exists():
            raise CommandError("No workspace is known yet. Run members_sync first, with an Owner's or Admin's token.")
        raise CommandError(f"Name one workspace with --workspace. Known: {known}.")
