"""`manage.py sandbox_seed [--reset] [--json]`."""

import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import router

from hoursmith_console.sandbox.console import SignIn, create_sign_ins
from hoursmith_console.sandbox.management.sandbox_command import SandboxCommand
from hoursmith_console.sandbox.models import Organization
from hoursmith_console.sandbox.seed.workspace import seed_workspace
from hoursmith_console.sandbox.services import now


class Command(SandboxCommand):
    help = "Create the demo workspace and its sign-ins. Running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", action="store_true", help="recreate the workspace and revoke its tokens")
        parser.add_argument("--json", action="store_true", help="print everything as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        database = router.db_for_write(Organization)
        if database != "default":
            # No other command migrates the sandbox's own database.
            call_command("migrate", database=database, verbosity=0, interactive=False)
        org = seed_workspace(now=now(), reset=options["reset"])
        sign_ins = create_sign_ins(org=org)
        console_url, mcp_url = f"{settings.PUBLIC_URL}/", f"{settings.PUBLIC_URL}/mcp"
        if options["json"]:
            facts = {
                "workspace": org.name,
                "plan": org.plan,
                "members": [asdict(sign_in) for sign_in in sign_ins],
                "console_url": console_url,
                "mcp_url": mcp_url,
            }
            self.stdout.write(json.dumps(facts, ensure_ascii=False))
            return
        self.stdout.write(f"{org.name} ({org.plan}), the sandbox workspace\n\n")
        self.stdout.write(_table(sign_ins))
        if any(sign_in.password is None for sign_in in sign_ins):
            self.stdout.write("\n(A password is only shown when it is created.)")
        self.stdout.write(f"\nConsole  {console_url}\nMCP      {mcp_url}")


def _table(sign_ins: list[SignIn]) -> str:
    rows = [("Role", "Name", "Email", "Password")]
    rows += [(each.role.title(), each.name, each.email, each.password or "unchanged") for each in sign_ins]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
