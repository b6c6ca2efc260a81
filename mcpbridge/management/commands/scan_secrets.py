"""Looks for token secrets where none may be."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, connections

from mcpbridge.secret_scan.files import UnreadableError, files_in, secrets_in_file, shown
from mcpbridge.secret_scan.tables import rows_in, secrets_in_table, tables_of

FOUND, UNREAD = 1, 2


class Command(BaseCommand):
    help = (
        "Look for token secrets in every table of every database, and in files: logs, sessions, caches, static files. "
        "Exit status: 0 none was found; 1 where they are is printed, and never they themselves; "
        "2 something could not be looked through."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            help="Files and folders to look through, logs in the first place. Without any: the console's own folder.",
        )
        parser.add_argument("--files-only", action="store_true", help="Leave the databases out.")

    def handle(self, *args: Any, **options: Any) -> None:
        paths = options["paths"] or _own_places()
        self._found, self._unread = 0, list[str]()
        if not options["files_only"]:
            for alias in connections:
                self._database(alias)
        self._files(paths)
        for reason in self._unread:
            self.stderr.write(reason)
        if self._found:
            self.stdout.write(
                f"{self._found:,} found. Revoke these tokens in Hoursmith first, then remove the text where it stands. "
                "In a database file it may also stand where a row was deleted: VACUUM overwrites that."
            )
            sys.exit(FOUND)
        if self._unread:
            sys.exit(UNREAD)
        self.stdout.write("No token secret was found.")

    def _database(self, alias: str) -> None:
        rows = 0
        try:
            tables = tables_of(alias)
            for table in tables:
                rows += rows_in(alias, table)
                for column, key, said in secrets_in_table(alias, table):
                    self._tell(f"database {alias}, table {table.name}, column {column}, key {key}: {said}")
        except Error as error:
            self._unread.append(f"The database {alias} could not be looked through: {type(error).__name__}.")
            return
        self.stdout.write(f"Looked through database {alias}: {len(tables)} tables, {rows:,} rows.")

    def _files(self, paths: list[Path]) -> None:
        count = size = 0
        for path in self._existing(paths):
            try:
                for where, said in secrets_in_file(path):
                    self._tell(f"{shown(path)}, {where}: {said}")
                size += path.stat().st_size
            except FileNotFoundError:
                continue
            except UnreadableError as error:
                self._unread.append(f"{error}.")
                continue
            count += 1
        places = ", ".join(shown(path) for path in paths)
        self.stdout.write(f"Looked through {places}: {count:,} files, {size:,} bytes.")

    def _existing(self, paths: list[Path]) -> Iterator[Path]:
        for path in paths:
            if not path.exists():
                self._unread.append(f"{shown(path)} is not there.")
        return files_in([path for path in paths if path.exists()])

    def _tell(self, line: str) -> None:
        self._found += 1
        self.stdout.write(f"FOUND {line}")


def _own_places() -> list[Path]:
    """Where the program writes, and where it reads its settings from."""
    own = [Path(settings.VAR_DIR), Path(settings.STATIC_ROOT), settings.BASE_DIR / ".env"]
    kept = [path for path in own if path.exists()]
    return [path for path in kept if not any(other in path.parents for other in kept)]
