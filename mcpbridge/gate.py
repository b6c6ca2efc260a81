"""What stops a request at the door although its credential is well formed: blocks, and too many bad tries."""

import asyncio
import contextlib
import logging
import math
import mmap
import os
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import psycopg
from django.db import connections, transaction
from django.utils import timezone

from mcpbridge.events import TokenNamed, event_record
from mcpbridge.models import SeenToken, TokenBlock

logger = logging.getLogger(__name__)

NOTIFY_CHANNEL = "mcpbridge_blocks"
POLL_S = 1.0
WINDOW_S = 60.0
# Hoursmith allows 10 bad tokens in 60 s from one address, which here is the bridge's. We stay below it.
BAD_TOKENS_UPSTREAM = 8
BAD_TOKENS_PER_ADDRESS = 4
BAD_TOKENS_PER_PREFIX = 2
_ALL = "everybody"


class TooManyAttemptsError(Exception):
    """Too many unknown tokens were tried; none is passed on for `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class AttemptLimit:
    """Keeps bad tokens from spending the budget that Hoursmith gives the bridge's address.

    Counts what Hoursmith refused over the last 60 s, per address, per public prefix and in all. `workers` share
    the budget evenly, since each process counts for itself.
    """

    def __init__(self, *, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._in_all = max(1, BAD_TOKENS_UPSTREAM // max(1, workers))
        self._per_address = min(BAD_TOKENS_PER_ADDRESS, self._in_all)
        self._clock = clock
        self._tries: dict[str, deque[float]] = {}
        self._asking: dict[str, asyncio.Semaphore] = {}

    @contextlib.asynccontextmanager
    async def attempt(
        self, address: str, prefix: str, *, was_seen: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[None]:
        """Let one token that is not known yet be asked about; raises TooManyAttemptsError where that is too much.

        At most as many questions as one address may waste are under way for it at once, so that a burst cannot
        outrun the count. Where the limit is reached, a token of which `was_seen` says that Hoursmith once
        accepted its prefix still gets through: strangers must not lock out the people who work here.
        """
        asking = self._asking.setdefault(address, asyncio.Semaphore(self._per_address))
        async with asking:
            wait = max(self._wait(address, self._per_address), self._wait(_ALL, self._in_all))
            if wait and (self._wait(prefix, BAD_TOKENS_PER_PREFIX) or not await was_seen()):
                raise TooManyAttemptsError(wait)
            yield

    def count(self, address: str, prefix: str) -> None:
        """Note that Hoursmith refused a token with `prefix` from `address`."""
        now = self._clock()
        for key in (_ALL, address, prefix):
            self._tries.setdefault(key, deque()).append(now)
        for key in [key for key, tries in self._tries.items() if not self._recent(tries)]:
            del self._tries[key]
        for key in [key for key in self._asking if key not in self._tries]:
            # Whoever still waits on it keeps it alive; it only stops being found.
            del self._asking[key]

    def _wait(self, key: str, most: int) -> int:
        """Seconds until `key` may try again, 0 for now."""
        tries = self._tries.get(key)
        if not tries or self._recent(tries) < most:
            return 0
        return max(1, math.ceil(tries[0] + WINDOW_S - self._clock()))

    def _recent(self, tries: deque[float]) -> int:
        since = self._clock() - WINDOW_S
        while tries and tries[0] <= since:
            tries.popleft()
        return len(tries)


class BlockList(Protocol):
    """The tokens that an admin stopped."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def holds(self, env: str, prefix: str) -> bool: ...


class Generation:
    """Eight bytes in a file beside the database that change whenever a block does, for every process to see.

    To look at them costs nothing, since they are mapped into memory; to ask SQLite takes four system calls.
    """

    SIZE = 8

    def __init__(self, database: str) -> None:
        self._path = f"{database}.blocks"
        self._mapped: mmap.mmap | None = None

    def change(self) -> None:
        """Say that the blocks are others now."""
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


class SqliteBlockList:
    """Reads the list when its generation changes, and looks every second besides if anything else changed it.

    While the file cannot be read the last known list holds: a block is never forgotten.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._generation = Generation(path)
        self._seen: bytes | None = None
        self._look_at = 0.0
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._blocked: frozenset[tuple[str, str]] = frozenset()

    async def start(self) -> None:
        self._refresh()

    async def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def holds(self, env: str, prefix: str) -> bool:
        self._refresh()
        return (env, prefix) in self._blocked

    def _refresh(self) -> None:
        generation = self._generation.now()
        if generation is not None and generation == self._seen and time.monotonic() < self._look_at:
            return
        if self._read():
            # The generation was taken before the list was read: a change in between is found the next time.
            self._seen, self._look_at = generation, time.monotonic() + POLL_S

    def _read(self) -> bool:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
                self._version = None
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                table = TokenBlock._meta.db_table
                rows = self._connection.execute(f"SELECT env, prefix FROM {table} WHERE lifted_at IS NULL")  # noqa: S608
                self._blocked = frozenset((env, prefix) for env, prefix in rows)
                self._version = version
        except sqlite3.Error as error:
            logger.warning("The block list could not be read anew: %s", error)
            return False
        return True


class PostgresBlockList:
    """Is told of every change by the database (LISTEN/NOTIFY) and reads the list anew every second besides."""

    def __init__(self, conninfo: Callable[[], dict[str, object]]) -> None:
        self._conninfo = conninfo
        self._task: asyncio.Task[None] | None = None
        self._blocked: frozenset[tuple[str, str]] = frozenset()

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

    def holds(self, env: str, prefix: str) -> bool:
        return (env, prefix) in self._blocked

    async def _follow(self, first: asyncio.Event) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(**self._conninfo(), autocommit=True)  # type: ignore[arg-type]
                async with connection:
                    await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    while True:
                        rows = await connection.execute(
                            f"SELECT env, prefix FROM {TokenBlock._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
                        )
                        self._blocked = frozenset([(env, prefix) async for env, prefix in rows])
                        first.set()
                        async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                            pass
            except (psycopg.Error, OSError) as error:
                logger.warning("The block list could not be read anew: %s", type(error).__name__)
                await asyncio.sleep(POLL_S)


def block_list() -> BlockList:
    """The block list that suits the configured database."""
    connection = connections["default"]
    if connection.vendor == "sqlite":
        return SqliteBlockList(str(connection.settings_dict["NAME"]))
    return PostgresBlockList(_conninfo)


def _conninfo() -> dict[str, object]:
    parameters = dict(connections["default"].get_connection_params())
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool", "server_side_binding"):
        parameters.pop(ours, None)
    return {**parameters, "connect_timeout": 5}


def token_block(*, env: str, prefix: str, org_id: str, actor: str, reason: str) -> TokenBlock:
    """Refuse the token at the bridge from the next request on, on every worker, and record who asked and why.

    Raises AuditUnavailableError where that cannot be recorded; then the token is not blocked.
    """
    with transaction.atomic():
        block, made = TokenBlock.objects.get_or_create(
            env=env,
            prefix=prefix,
            lifted_at=None,
            defaults={"org_id": org_id, "blocked_by": actor, "reason": reason, "blocked_at": timezone.now()},
        )
        if made:
            _tell_everyone()
            _record("console.token_block", block, actor=actor, note=reason)
    return block


def token_unblock(*, block: TokenBlock, actor: str) -> None:
    """Let the token through again. The row stays, since the record must still name the block next year.

    Raises AuditUnavailableError where it cannot be recorded; then the block stays in force.
    """
    with transaction.atomic():
        in_force = TokenBlock.objects.filter(pk=block.pk, lifted_at=None)
        if in_force.update(lifted_at=timezone.now(), lifted_by=actor):
            _tell_everyone()
            _record("console.token_unblock", block, actor=actor, note="")


def _record(action: str, block: TokenBlock, *, actor: str, note: str) -> None:
    seen = SeenToken.objects.filter(env=block.env, prefix=block.prefix).values_list("token_name", flat=True)
    name = seen.first() or ""
    event_record(
        org_id=block.org_id,
        action=action,
        actor=actor,
        target_type="token",
        target_id=block.prefix,
        target_label=name,
        token=TokenNamed(block.env, block.prefix, name),
        note=note,
    )


def _tell_everyone() -> None:
    connection = connections["default"]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {NOTIFY_CHANNEL}")
    else:
        transaction.on_commit(Generation(str(connection.settings_dict["NAME"])).change)
