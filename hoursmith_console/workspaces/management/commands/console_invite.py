"""Lets a member into the console."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hoursmith_console.workspaces.invitations import invitation_path
from hoursmith_console.workspaces.models import Member, Role, Workspace
from hoursmith_console.workspaces.services import account_invite
from mcpbridge.audit import AuditUnavailableError
from mcpbridge.events import operator


class Command(BaseCommand):
    help = (
        "Make a console account for a member and print a one-time sign-in link. Members come from members_sync; "
        "where none has this address, one is made in the only workspace there is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="The member's e-mail address at Hoursmith.")
        parser.add_argument("--role", required=True, choices=[role.lower() for role in Role], help="Their role there.")
        parser.add_argument("--workspace", help="The workspace's id, where there is more than one.")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = self._workspace(options["workspace"])
        email, role = options["email"].lower(), options["role"].upper()
        known = Member.objects.filter(workspace=workspace, email=email).first()
        if known is not None and known.role != role:
            raise CommandError(f"{email} is {known.role} at Hoursmith, not {role}. Roles are changed there.")
        try:
            member = account_invite(workspace=workspace, email=email, role=role, actor=operator())
        except AuditUnavailableError as error:
            raise CommandError(str(error)) from None
        assert member.user is not None  # noqa: S101 – account_invite has made it
        self.stdout.write(f"{settings.PUBLIC_URL}{invitation_path(user=member.user)}")

    def _workspace(self, org_id: str | None) -> Workspace:
        found = Workspace.objects.filter(org_id=org_id) if org_id else Workspace.objects.all()
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{each.org_id} ({each.name})" for each in Workspace.objects.all()) or "none"
        if not Member.objects.exists():
            raise CommandError("No workspace is known yet. Run members_sync first, with an Owner's or Admin's token.")
        raise CommandError(f"Name one workspace with --workspace. Known: {known}.")
