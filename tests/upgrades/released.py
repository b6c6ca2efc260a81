"""The console that the release before left behind: its databases, and what its operator and members knew.

`tests/upgrades/record.py` recorded it.
"""

import hashlib
import json
import lzma
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mcpbridge.audit.verification.announcements import fingerprint_of
from tests.postgres import Cluster

BEFORE = Path(__file__).parent / "0.2.0"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SQLITE_FILES = ("console", "console-sandbox")


def secret(name: str) -> str:
    """Return a secret of the console, as `record.py` made it."""
    return hashlib.sha256(f"upgrade tests: {name}".encode()).hexdigest()


SETTINGS = {
    "SECRET_KEY": secret("SECRET_KEY"),
    "AUDIT_SIGNING_KEY": secret("second signing key"),
    "SANDBOX_RATE_LIMITS": "off",
}


@dataclass(frozen=True)
class Known:
    """What is known of the console besides its database."""

    tokens: dict[str, str]
    connections: dict[str, str]
    rotation: int
    passwords: dict[str, str]
    export: str
    keys: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the first signing key, which auditors noted."""
        return fingerprint_of(self.keys["keys"][0]["public_key"])

    def password_of(self, name: str) -> tuple[str, str]:
        """Return the email address and the password of the member with this first name."""
        return next((email, password) for email, password in self.passwords.items() if email.startswith(f"{name}@"))


def known(kind: str) -> Known:
    """Return what is known of the console on `kind` of database."""
    found = json.loads(_text(f"{kind}.json.xz"))
    found["tokens"] = {name: "_".join(parts) for name, parts in found["tokens"].items()}
    return Known(**found)


def load_sqlite(folder: Path) -> None:
    """Put the files of the databases into `folder`, in place of those that are there."""
    for name in SQLITE_FILES:
        path = folder / f"{name}.sqlite3"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_text(f"{name}.sqlite.sql.xz"))


def load_postgres(cluster: Cluster, name: str) -> str:
    """Create the database `name` in place of one that is there; return its URL."""
    url = cluster.create_database(name, template="template0")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_text("postgres.sql.xz").encode())
    return url


def _text(name: str) -> str:
    return lzma.decompress((BEFORE / name).read_bytes()).decode()
