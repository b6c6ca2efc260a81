"""A log that is written and signed, and somebody who writes to its database behind the console."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.db import transaction

from mcpbridge.audit.anchors import memory
from mcpbridge.audit.anchors.faults import AnchorFault
from mcpbridge.audit.anchors.memory import AnchorSettings, NodeAnchors, node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.rows import append_rows, outcome_row
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey
from tests.call_records import OWNER, SUCCEEDED, a_call
from tests.databases import RecordDatabase

EVENTS, HEADS, CUTS, KEYS = (model._meta.db_table for model in (AuditEvent, SigningHead, AuditCut, SigningKey))
WORKSPACE = "org-1"
Sql = Callable[..., None]
Restart = Callable[[], None]


def write(rows: int, org_id: str = WORKSPACE) -> None:
    calls = [a_call(identity=replace(OWNER, org_id=org_id)) for _ in range(rows)]
    with transaction.atomic():
        append_rows("default", [outcome_row(call, SUCCEEDED) for call in calls])


def sign(org_id: str = WORKSPACE) -> int:
    """Sign the log now, up to the returned entry."""
    (head,) = make_checkpoints(reason="demand", org_id=org_id)
    return head.sequence


def found() -> AnchorFault | None:
    """The finding that stands after a look at the database."""
    look(node_anchors(), "default")
    return next(iter(node_anchors().faults), None)


def anchor_file() -> Path:
    folder = node_anchors().folder
    assert folder is not None
    (file,) = folder.path.glob("*.anchor")
    return file


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch) -> Restart:
    """Forget what the process had in memory, as a restart does."""
    return lambda: monkeypatch.setattr(memory, "_current", None)


@pytest.fixture
def signed(database: RecordDatabase) -> RecordDatabase:
    """Eight rows, checkpoints at 4 and 8."""
    for _ in range(2):
        write(4)
        sign()
    return database


def become(node: NodeAnchors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be another node."""
    monkeypatch.setattr(memory, "_current", (AnchorSettings.configured(), node))


@pytest.fixture
def second(signed: RecordDatabase, tmp_path: Path) -> NodeAnchors:
    """Another node, whose anchors lie elsewhere and are as far."""
    anchor, node = node_anchors().anchor(WORKSPACE), NodeAnchors(AnchorSettings("file", tmp_path / "second", ""))
    assert anchor is not None
    node.move(anchor)
    look(node, "default")
    assert node.faults == []
    return node


@pytest.fixture
def sql(signed: RecordDatabase) -> Sql:
    """Run statements as the owner of the database, with the triggers disabled."""

    def run(*statements: str) -> None:
        if signed.path is not None:
            with sqlite3.connect(signed.path) as raw:
                for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    raw.execute(f"DROP TRIGGER {name}")
                for statement in statements:
                    raw.execute(statement)
            raw.close()
            return
        with psycopg.connect(signed.url) as raw_postgres:
            raw_postgres.execute("SET session_replication_role = replica")
            for statement in statements:
                raw_postgres.execute(statement)

    return run
