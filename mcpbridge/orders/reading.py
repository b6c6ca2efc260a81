"""The orders in force, as the bridge sees them on each request, without waiting for a database.

While it cannot be read the last known orders hold: a block is never forgotten.
"""

import asyncio
import contextlib
import json
import logging
import mmap
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import psycopg
from django.db import connections, transaction

from mcpbridge.models import ApprovalRequest, ApprovalRule, Freeze, SnapshotStop, TokenBlock, TokenNotice
from mcpbridge.own_connection import shorten

logger = logging.getLogger(__name__)

NOTIFY_CHANNEL = "mcpbridge_orders"
POLL_S = 1.0
# A connection that says nothing for so long is taken for cut.
_SILENCE_S = 3.0
Key = tuple[str, str]
_BLOCKS = f"SELECT env, prefix FROM {TokenBlock._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
_FREEZES = f"SELECT org_id, env, prefix FROM {Freeze._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
_NOTICES = f"SELECT env, prefix, text, is_in_text FROM {TokenNotice._meta.db_table} WHERE ended_at IS NULL"  # noqa: S608
_STOPS = f"SELECT org_id FROM {SnapshotStop._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
_RULES = f"SELECT org_id, tools, tokens, hourly_limit, answered_in, holds_s, lasts_s FROM {ApprovalRule._meta.db_table}"  # noqa: S608
_UNDECIDED = f"SELECT id FROM {ApprovalRequest._meta.db_table} WHERE closed_at IS NULL AND decision = ''"  # noqa: S608
_QUESTIONS = (_BLOCKS, _FREEZES, _NOTICES, _STOPS, _RULES, _UNDECIDED)


class Notice(NamedTuple):
    """One line for the person behind an assistant; `is_in_text` where the workspace wants it in the result's text."""

    text: str
    is_in_text: bool


class Consents(NamedTuple):
    """Which destructive calls of a workspace wait for a person, where that one answers, and for how long in seconds."""

    tools: frozenset[str]
    tokens: frozenset[str]
    hourly_limit: int | None
    answered_in: str
    holds_s: int
    lasts_s: int

    @property
    def chooses_any(self) -> bool:
        """Whether any call waits."""
        return bool(self.tools or self.tokens) or self.hourly_limit is not None


@dataclass(frozen=True, slots=True)
class Orders:
    """All orders in force at one moment."""

    blocks: frozenset[Key] = frozenset()
    freezes: frozenset[tuple[str, str, str]] = frozenset()
    notices: Mapping[Key, Notice] = field(default_factory=dict)
    snapshot_stops: frozenset[str] = frozenset()
    consents: Mapping[str, Consents] = field(default_factory=dict)
    undecided: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls,
        blocks: Iterable[Iterable[Any]],
        freezes: Iterable[Iterable[Any]],
        notices: Iterable[Iterable[Any]],
        stops: Iterable[Iterable[Any]],
        rules: Iterable[Iterable[Any]],
        undecided: Iterable[Iterable[Any]],
    ) -> "Orders":
        """The orders that the rows of the six questions tell of."""
        return cls(
            blocks=frozenset((env, prefix) for env, prefix in blocks),
            freezes=frozenset((org_id, env, prefix) for org_id, env, prefix in freezes),
            notices={(env, prefix): Notice(text, bool(is_in_text)) for env, prefix, text, is_in_text in notices},
            snapshot_stops=frozenset(org_id for (org_id,) in stops),
            consents={
                org_id: rule
                for org_id, tools, tokens, *rest in rules
                if (rule := Consents(frozenset(_list(tools)), frozenset(_list(tokens)), *rest)).chooses_any
            },
            undecided=frozenset(pk for (pk,) in undecided),
        )

    def holds(self, env: str, prefix: str) -> bool:
        """Whether the token is blocked."""
        return (env, prefix) in self.blocks

    def freezes_destruction(self, org_id: str, env: str, prefix: str) -> bool:
        """Whether the destructive tools are frozen for the token, or for all of its workspace."""
        return bool(self.freezes) and ((org_id, env, prefix) in self.freezes or (org_id, "", "") in self.freezes)

    def stops_snapshots(self, org_id: str) -> bool:
        """Whether the workspace wants nothing kept of what is destroyed."""
        return org_id in self.snapshot_stops

    def consent_rule(self, org_id: str) -> Consents | None:
        """Which of the workspace's destructive calls wait for a person; None where none does."""
        return self.consents.get(org_id)

    def notice(self, env: str, prefix: str) -> Notice | None:
        """What the assistant that uses the token is to tell its person."""
        return self.notices.get((env, prefix))


def _list(stored: Any) -> list[str]:
    """A JSON column as the driver hands it out: SQLite's as text."""
    found: list[str] = json.loads(stored) if isinstance(stored, str) else stored
    return found


class OrderBook(Protocol):
    """Where the bridge looks the orders up."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def now(self) -> Orders: ...


class Generation:
    """Eight bytes in a file beside the database that change whenever an order does, for every process to see.

    To look at them costs nothing, since they are mapped into memory; to ask SQLite takes four system calls.
    """

    SIZE = 8

    def __init__(self, database: str) -> None:
        self._path = f"{database}.orders"
        self._mapped: mmap.mmap | None = None

    def change(self) -> None:
        """Say that the orders are others now."""
        with open(self._path, "r+b" if os.path.exists(self._path) else "w+b") as file:
            file.write(os.urandom(self.SIZE))

    def now(self) -> bytes | None:
        """What stands there now; None where nothing can be mapped."""
        try:
            if self._mapped is None:
                if not os.path.exists(self._path):
                    self.change()
                with open(self._path, "rb") as file:
                    self._mapped = mmap.mmap(file.fileno(), self.SIZE, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return None
        return self._mapped[: self.SIZE]


class SqliteOrderBook:
    """Reads the orders when their generation changes, and looks every second besides if anything else changed them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._generation = Generation(path)
        self._seen: bytes | None = None
        self._look_at = 0.0
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._orders = Orders()

    async def start(self) -> None:
        self._refresh()

    async def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def now(self) -> Orders:
        self._refresh()
        return self._orders

    def _refresh(self) -> None:
        generation = self._generation.now()
        if generation is not None and generation == self._seen and time.monotonic() < self._look_at:
            return
        if self._read():
            # The generation was taken before the orders were read: a change in between is found the next time.
            self._seen, self._look_at = generation, time.monotonic() + POLL_S

    def _read(self) -> bool:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
                self._version = None
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                rows = [self._connection.execute(question).fetchall() for question in _QUESTIONS]
                self._orders = Orders.of(*rows)
                self._version = version
        except sqlite3.Error as error:
            logger.warning("The orders could not be read anew: %s", error)
            return False
        return True


class PostgresOrderBook:
    """Is told of every change by the database (LISTEN/NOTIFY) and reads the orders anew every second besides."""

    def __init__(self, conninfo: Callable[[], dict[str, object]]) -> None:
        self._conninfo = conninfo
        self._task: asyncio.Task[None] | None = None
        self._orders = Orders()

    async def start(self) -> None:
        first = asyncio.Event()
        self._task = asyncio.create_task(self._follow(first))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(first.wait(), timeout=5)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def now(self) -> Orders:
        return self._orders

    async def _follow(self, first: asyncio.Event) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(**self._conninfo(), autocommit=True)  # type: ignore[arg-type]
                async with connection:
                    await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    while True:
                        rows = [await (await connection.execute(question)).fetchall() for question in _QUESTIONS]
                        self._orders = Orders.of(*rows)
                        first.set()
                        async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                            pass
            except (psycopg.Error, OSError) as error:
                logger.warning("The orders could not be read anew: %s", type(error).__name__)
                await asyncio.sleep(POLL_S)


def order_book() -> OrderBook:
    """The order book that suits the configured database."""
    connection = connections["default"]
    if connection.vendor == "sqlite":
        return SqliteOrderBook(str(connection.settings_dict["NAME"]))
    return PostgresOrderBook(_conninfo)


def _conninfo() -> dict[str, object]:
    parameters: dict[str, Any] = dict(connections["default"].get_connection_params())
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool", "server_side_binding"):
        parameters.pop(ours, None)
    shorten(parameters, limit_s=_SILENCE_S)
    return parameters


def tell_everyone() -> None:
    """Let every worker and machine know, when the transaction is committed, that the orders are others now."""
    connection = connections["default"]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {NOTIFY_CHANNEL}")
    else:
        transaction.on_commit(Generation(str(connection.settings_dict["NAME"])).change)
