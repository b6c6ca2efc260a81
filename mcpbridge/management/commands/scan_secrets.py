"""Scan databases and files for token secrets."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, connections

from mcpbridge.secret_scan.files import UnreadableError, files_in, masked_path, secrets_in_file
from mcpbridge.secret_scan.tables import rows_in, secrets_in_table, tables_of

FOUND, INCOMPLETE = 1, 2


class Command(BaseCommand):
    help = (
        "Scan every table of every database and files (logs, sessions, caches, static files) for token secrets. "
        "Exit codes: 0 no secrets; 1 secrets found (locations are printed, values never); 2 scan incomplete."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            help="Files and folders to scan, such as logs (default: the console's own folder).",
        )
        parser.add_argument("--files-only", action="store_true", help="Do not scan the databases.")

    def handle(self, *args: Any, **options: Any) -> None:
        paths = options["paths"] or _own_paths()
        self._found, self._unscanned = 0, list[str]()
        if not options["files_only"]:
            for alias in connections:
                self._database(alias)
        self._files(paths)
        for reason in self._unscanned:
            self.stderr.write(reason)
        if self._found:
            self.stdout.write(
                f"{self._found:,} found. Revoke these tokens in Hoursmith first, then delete the text there. "
                "A database file may also contain deleted rows: VACUUM overwrites them."
            )
            sys.exit(FOUND)
        if self._unscanned:
            sys.exit(INCOMPLETE)
        self.stdout.write("No token secrets found.")

    def _database(self, alias: str) -> None:
        rows = 0
        try:
            tables = tables_of(alias)
            for table in tables:
                rows += rows_in(alias, table)
                for column, key, description in secrets_in_table(alias, table):
                    self._report(f"database {alias}, table {table.name}, column {column}, key {key}: {description}")
        except Error as error:
            self._unscanned.append(f"The database {alias} could not be scanned: {type(error).__name__}.")
            return
        self.stdout.write(f"Scanned database {alias}: {len(tables)} tables, {rows:,} rows.")

    def _files(self, paths: list[Path]) -> None:
        count = size = 0
        for path in self._existing(paths):
            try:
                for where, description in secrets_in_file(path):
                    self._report(f"{masked_path(path)}, {where}: {description}")
                size += path.stat().st_size
            except FileNotFoundError:
                continue
            except UnreadableError as error:
                self._unscanned.append(f"{error}.")
                continue
            count += 1
        places = ", ".join(masked_path(path) for path in paths)
        self.stdout.write(f"Scanned {places}: {count:,} files, {size:,} bytes.")

    def _existing(self, paths: list[Path]) -> Iterator[Path]:
        for path in paths:
            if not path.exists():
                self._unscanned.append(f"{masked_path(path)} does not exist.")
        return files_in([path for path in paths if path.exists()])

    def _report(self, line: str) -> None:
        self._found += 1
        self.stdout.write(f"FOUND {line}")


def _own_paths() -> list[Path]:
    """Return the folders that the program writes to, and its settings file."""
    own = [Path(settings.VAR_DIR), Path(settings.STATIC_ROOT), settings.BASE_DIR / ".env"]
    kept = [path for path in own if path.exists()]
    return [path for path in kept if not any(other in path.parents for other in kept)]
