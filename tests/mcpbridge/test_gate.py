import asyncio
import sqlite3
import time

import pytest
from django.db import connection
from django.utils import timezone

from mcpbridge.gate import POLL_S, Generation, SqliteBlockList, block_list, token_block, token_unblock
from mcpbridge.models import TokenBlock

TOKEN = {"env": "live", "prefix": "4f8a2c1bdedf"}


def block():
    return token_block(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")


async def becomes(blocks, held):
    """Whether the list comes to say `held`. SQLite's says so at once; PostgreSQL's is told a moment later."""
    for _ in range(100):
        if blocks.holds(**TOKEN) is held:
            return True
        await asyncio.sleep(0.02)
    return False


def test_a_block_takes_effect_in_a_running_process_and_lifting_ends_it(database, runner):
    blocks = block_list()
    runner.run(blocks.start())
    assert not blocks.holds(**TOKEN)
    made = block()
    assert runner.run(becomes(blocks, True))
    assert not blocks.holds("test", TOKEN["prefix"])
    token_unblock(block=made, actor="Ben")
    assert runner.run(becomes(blocks, False))
    runner.run(blocks.stop())
    kept = TokenBlock.objects.get()
    assert (kept.blocked_by, kept.lifted_by, kept.reason) == ("Ana", "Ben", "leaked")


def test_a_block_made_before_the_process_holds_from_its_start(database, runner):
    block()
    blocks = block_list()
    runner.run(blocks.start())
    assert blocks.holds(**TOKEN)
    runner.run(blocks.stop())


def test_on_sqlite_the_very_next_look_sees_the_block(sqlite_database):
    blocks = block_list()
    assert not blocks.holds(**TOKEN)
    block()
    assert blocks.holds(**TOKEN)
    asyncio.run(blocks.stop())


def test_blocking_twice_is_one_block(database):
    assert block() == block()
    assert TokenBlock.objects.count() == 1


def test_a_block_that_was_written_past_us_is_found_within_a_second(sqlite_database, monkeypatch):
    blocks = block_list()
    assert not blocks.holds(**TOKEN)
    TokenBlock.objects.create(**TOKEN, org_id="org-1", blocked_by="Ana", blocked_at=timezone.now())
    assert not blocks.holds(**TOKEN)
    later = time.monotonic() + POLL_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert blocks.holds(**TOKEN)
    asyncio.run(blocks.stop())


def test_without_a_generation_to_look_at_the_database_is_asked_each_time(sqlite_database, monkeypatch):
    monkeypatch.setattr(Generation, "now", lambda self: None)
    blocks = block_list()
    assert not blocks.holds(**TOKEN)
    TokenBlock.objects.create(**TOKEN, org_id="org-1", blocked_by="Ana", blocked_at=timezone.now())
    assert blocks.holds(**TOKEN)
    asyncio.run(blocks.stop())


def test_a_block_outlives_a_file_that_cannot_be_read(sqlite_database):
    blocks = block_list()
    block()
    assert blocks.holds(**TOKEN)
    blocks._connection.close()
    blocks._seen = None
    assert blocks.holds(**TOKEN)
    asyncio.run(blocks.stop())


def test_a_block_outlives_a_server_that_goes_away(postgres_database, runner):
    block()
    blocks = block_list()
    runner.run(blocks.start())
    postgres_database.disconnect_everybody()
    connection.close()
    runner.run(asyncio.sleep(0.1))
    assert blocks.holds(**TOKEN)
    token_unblock(block=TokenBlock.objects.get(), actor="Ben")
    assert runner.run(becomes(blocks, False))
    runner.run(blocks.stop())


def test_a_missing_database_blocks_nobody_and_stops_nobody(tmp_path):
    blocks = SqliteBlockList(str(tmp_path / "none.sqlite3"))
    assert not blocks.holds(**TOKEN)
    asyncio.run(blocks.stop())


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_looking_does_not_wait_for_a_writer(sqlite_database, mode):
    blocks = block_list()
    block()
    assert blocks.holds(**TOKEN)
    writer = sqlite3.connect(sqlite_database.path, isolation_level=None)
    writer.execute(f"BEGIN {mode}")
    blocks._seen = None
    started = time.monotonic()
    assert blocks.holds(**TOKEN)
    # The library would wait for seconds; this shows that we do not, whatever the machine's speed.
    assert time.monotonic() - started < 2
    writer.rollback()
    writer.close()
    asyncio.run(blocks.stop())
