"""Bring the databases to this release before it serves; serve without them where that is safe, or else wait."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, connections
from django.db.migrations.loader import MigrationLoader

_RETRY_S = 2.0
_TELL_EVERY_S = 60.0


def prepare_databases(tell: Callable[[str], object]) -> bool:
    """Migrate every database and return True; False if one is unavailable that was known to be up to date.

    Waits for one that is unavailable and not migrated to this release yet: reading its old tables would fail. `tell`
    gets one line at first and every minute. Raises ImproperlyConfigured if a newer release has migrated it.
    """
    are_there = [_prepare(alias, tell) for alias in settings.DATABASES]
    return all(are_there)


def _prepare(alias: str, tell: Callable[[str], object]) -> bool:
    told_at = float("-inf")
    while True:
        try:
            _refuse_newer(MigrationLoader(connections[alias]))
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        except OperationalError as error:
            connections[alias].close()
            fault = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if _is_known_ready(alias):
                tell(f"The database does not respond, so only reads are served until it does: {fault}")
                return False
            if time.monotonic() - told_at >= _TELL_EVERY_S:
                told_at = time.monotonic()
                tell(f"Waiting for the database, which this release must prepare before it can serve: {fault}")
            time.sleep(_RETRY_S)
        else:
            _remember_ready(alias)
            return True


def _refuse_newer(loader: MigrationLoader) -> None:
    # Of a library that is gone, rows may be left.
    newer = sorted(f"{app}.{name}" for app, name in loader.applied_migrations if _is_unknown(loader, app, name))
    if newer:
        raise ImproperlyConfigured(
            f"A newer release has changed the database ({newer[-1]}). Start that release, or restore a backup from"
            " before the upgrade."
        )


def _is_unknown(loader: MigrationLoader, app: str, name: str) -> bool:
    return app in loader.migrated_apps and (app, name) not in loader.disk_migrations


def _marker(alias: str) -> tuple[Path, str]:
    """Return the file that says that a database is ready, and what it says for this release and this database."""
    database = settings.DATABASES[alias]
    place = [str(database.get(part) or "") for part in ("HOST", "PORT", "NAME")]
    known = sorted(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)
    return settings.VAR_DIR / f"migrated_{alias}", hashlib.sha256("\n".join([*place, *known]).encode()).hexdigest()


def _is_known_ready(alias: str) -> bool:
    path, wanted = _marker(alias)
    try:
        return path.read_text(encoding="ascii").strip() == wanted
    except OSError:
        return False


def _remember_ready(alias: str) -> None:
    path, wanted = _marker(alias)
    part = path.with_suffix(".part")
    part.write_text(wanted + "\n", encoding="ascii")
    part.replace(path)
