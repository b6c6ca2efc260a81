"""`manage.py sandbox_plan free|studio|agency`."""

from typing import Any

from django.core.management.base import CommandParser

from hoursmith_console.sandbox.management.sandbox_command import SandboxCommand, existing_workspace
from hoursmith_console.sandbox.models import Plan
from hoursmith_console.sandbox.services import plan_change
from hoursmith_console.workspaces.services import workspace_import


class Command(SandboxCommand):
    help = "Put the sandbox workspace on another plan."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", choices=Plan.values)

    def handle(self, *args: Any, **options: Any) -> None:
        org = existing_workspace()
        plan_change(org=org, plan=options["plan"])
        workspace_import(org_id=str(org.pk), name=org.name, plan=org.plan)
        self.stdout.write(f"{org.name} is on the plan {org.plan}.")
