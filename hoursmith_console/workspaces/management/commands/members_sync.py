"""Import the members of a workspace from Hoursmith."""

import asyncio
import os
from pathlib import Path
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.management.base import BaseCommand, CommandError

from hoursmith_console.paths import manage_command
from hoursmith_console.workspaces.member_list import MemberList, MemberListError, fetch_member_list
from hoursmith_console.workspaces.member_sync import SyncResult, sync_members
from hoursmith_console.workspaces.services import import_workspace
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.core.credential import Credential, CredentialError
from mcpbridge.management.progress import progress_line
from mcpbridge.upstream.config import upstream_from_settings


def _given_token() -> str:
    token, path = os.environ.pop("HOURSMITH_API_TOKEN", ""), os.environ.get("HOURSMITH_API_TOKEN_FILE", "")
    return Path(path).read_text(encoding="utf-8").strip() if path and not token else token


class Command(BaseCommand):
    help = (
        "Import the members of a workspace with the token of an Owner or Admin, given in HOURSMITH_API_TOKEN or in the "
        "file that HOURSMITH_API_TOKEN_FILE names. "
        "The token is used once and not stored. Users who are no longer members can no longer sign in."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            credential = credential_from_text(_given_token())
            listing = asyncio.run(self._read(credential))
        except OSError as error:
            raise CommandError(f"HOURSMITH_API_TOKEN_FILE cannot be read ({error.strerror}).") from None
        except CredentialError as fault:
            raise CommandError(f"HOURSMITH_API_TOKEN: {fault.explanation}") from None
        except MemberListError as error:
            raise CommandError(str(error)) from None
        workspace = import_workspace(org_id=listing.me["orgId"], name=listing.me["orgName"], plan=listing.me["plan"])
        try:
            synced = sync_members(workspace=workspace, members=listing.members, actor=operator())
        except (AuditUnavailableError, MemberListError) as error:
            raise CommandError(str(error)) from None
        self._report(str(workspace), synced)

    def _report(self, workspace: str, synced: SyncResult) -> None:
        self.stdout.write(f"{workspace}: {synced.members} members synced, {len(synced.left)} removed.")
        for old, new in synced.moved.items():
            self.stdout.write(f"{old} is now {new}.")
        for problem in synced.problems:
            self.stderr.write(f"Check: {problem}")
        self.stdout.write(f"To invite one: {manage_command()} console_invite --email … --role …")

    async def _read(self, credential: Credential) -> MemberList:
        upstream, progress = (
            upstream_from_settings(get_asgi_application()),
            progress_line(self.stderr, what="members read"),
        )
        try:
            return await fetch_member_list(upstream, credential, progress=progress)
        finally:
            await upstream.aclose()
            if progress:
                self.stderr.write("")
