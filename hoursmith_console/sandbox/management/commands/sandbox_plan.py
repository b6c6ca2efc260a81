"""`manage.py sandbox_plan free|studio|agency`."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import router, transaction

from hoursmith_console.sandbox.management.sandbox_command import SandboxCommand, existing_workspace
from hoursmith_console.sandbox.models import Organization, Plan
from hoursmith_console.sandbox.services import change_plan
from hoursmith_console.workspaces.models import Workspace
from hoursmith_console.workspaces.services import import_workspace
from mcpbridge.audit.console_events import operator, record_event
from mcpbridge.audit.errors import AuditUnavailableError


class Command(SandboxCommand):
    help = "Change the plan of the sandbox workspace."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", choices=Plan.values)

    def handle(self, *args: Any, **options: Any) -> None:
        org = existing_workspace()
        before = org.plan
        databases = router.db_for_write(Organization), router.db_for_write(Workspace)
        try:
            with transaction.atomic(using=databases[0]), transaction.atomic(using=databases[1]):
                change_plan(org=org, plan=options["plan"])
                workspace = import_workspace(org_id=str(org.pk), name=org.name, plan=org.plan)
                record_event(
                    org_id=workspace.org_id,
                    org_name=workspace.name,
                    action="console.plan_change",
                    actor=operator(),
                    target_type="workspace",
                    target_id=workspace.org_id,
                    target_label=workspace.name,
                    details={"plan": f"{before} → {workspace.plan}"},
                )
        except AuditUnavailableError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{org.name} is now on the {org.plan} plan.")
