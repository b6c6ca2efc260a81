import asyncio
import sqlite3
import time

import pytest
from django.db import connection
from django.utils import timezone

from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from mcpbridge.auth.restrictions.change_marker import ChangeMarker
from mcpbridge.auth.restrictions.notices import clear_notice, set_notice
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools, resume_destructive_tools
from mcpbridge.auth.restrictions.polling import POLL_S, SqliteRestrictionStore, restriction_store
from mcpbridge.auth.restrictions.store import Notice, RestrictionsUnknownError
from mcpbridge.core.types import Caller
from mcpbridge.models import TokenBlock, TokenRef
from mcpbridge.protocol.server import RequestContext
from mcpbridge.stdio.server import StdioTools
from tests.mcpbridge.fixtures import bridge_to
from tests.token_shapes import assembled_token
from tests.tool_results import error_in

TOKEN = {"env": "live", "prefix": "4f8a2c1bdedf"}


def block():
    return block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")


async def becomes(book, held):
    """Whether the book comes to say `held`. SQLite's says so at once; PostgreSQL's is told a moment later."""
    for _ in range(100):
        if book.now().is_blocked(TokenRef(**TOKEN)) is held:
            return True
        await asyncio.sleep(0.02)
    return False


def test_a_block_takes_effect_in_a_running_process_and_lifting_ends_it(database, runner):
    book = restriction_store()
    runner.run(book.start())
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    made = block()
    assert runner.run(becomes(book, True))
    assert not book.now().is_blocked(TokenRef("test", TOKEN["prefix"]))
    unblock_token(block=made, actor="Ben")
    assert runner.run(becomes(book, False))
    runner.run(book.stop())
    kept = TokenBlock.objects.get()
    assert (kept.blocked_by, kept.lifted_by, kept.reason) == ("Ana", "Ben", "leaked")


def test_a_block_made_before_the_process_holds_from_its_start(database, runner):
    block()
    book = restriction_store()
    runner.run(book.start())
    assert book.now().is_blocked(TokenRef(**TOKEN))
    runner.run(book.stop())


def test_on_sqlite_the_very_next_look_sees_the_block(sqlite_database):
    book = restriction_store()
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    block()
    assert book.now().is_blocked(TokenRef(**TOKEN))
    asyncio.run(book.stop())


def test_blocking_twice_is_one_block(database):
    assert block() == block()
    assert TokenBlock.objects.count() == 1


def test_a_block_that_was_written_past_us_is_found_within_a_second(sqlite_database, monkeypatch):
    book = restriction_store()
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    TokenBlock.objects.create(**TOKEN, org_id="org-1", blocked_by="Ana", blocked_at=timezone.now())
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    later = time.monotonic() + POLL_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert book.now().is_blocked(TokenRef(**TOKEN))
    asyncio.run(book.stop())


def test_without_a_generation_to_look_at_the_database_is_asked_each_time(sqlite_database, monkeypatch):
    monkeypatch.setattr(ChangeMarker, "now", lambda self: None)
    book = restriction_store()
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    TokenBlock.objects.create(**TOKEN, org_id="org-1", blocked_by="Ana", blocked_at=timezone.now())
    assert book.now().is_blocked(TokenRef(**TOKEN))
    asyncio.run(book.stop())


def test_a_block_outlives_a_file_that_cannot_be_read(sqlite_database):
    book = restriction_store()
    block()
    assert book.now().is_blocked(TokenRef(**TOKEN))
    book._connection.close()
    book._seen = None
    assert book.now().is_blocked(TokenRef(**TOKEN))
    asyncio.run(book.stop())


def test_a_block_outlives_a_server_that_goes_away(postgres_database, runner):
    block()
    book = restriction_store()
    runner.run(book.start())
    postgres_database.disconnect_everybody()
    connection.close()
    runner.run(asyncio.sleep(0.1))
    assert book.now().is_blocked(TokenRef(**TOKEN))
    unblock_token(block=TokenBlock.objects.get(), actor="Ben")
    assert runner.run(becomes(book, False))
    runner.run(book.stop())


def test_without_a_database_and_a_copy_nothing_is_known(tmp_path):
    path = tmp_path / "none.sqlite3"
    book = SqliteRestrictionStore(str(path))
    with pytest.raises(RestrictionsUnknownError):
        book.now()
    # An empty file in its place would say that nothing is blocked.
    assert not path.exists()
    asyncio.run(book.stop())


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_looking_does_not_wait_for_a_writer(sqlite_database, mode):
    book = restriction_store()
    block()
    assert book.now().is_blocked(TokenRef(**TOKEN))
    writer = sqlite3.connect(sqlite_database.path, isolation_level=None)
    writer.execute(f"BEGIN {mode}")
    book._seen = None
    started = time.monotonic()
    assert book.now().is_blocked(TokenRef(**TOKEN))
    # The library would wait for seconds; this shows that we do not, whatever the machine's speed.
    assert time.monotonic() - started < 2
    writer.rollback()
    writer.close()
    asyncio.run(book.stop())


def test_a_freeze_is_of_one_token_or_of_a_whole_workspace_and_of_no_other(sqlite_database):
    book = restriction_store()
    one = pause_destructive_tools(org_id="org-1", actor="Ana", reason="odd", **TOKEN)
    assert book.now().pauses_destructive_tools("org-1", TokenRef(**TOKEN))
    assert not book.now().pauses_destructive_tools("org-1", TokenRef("live", "000000000000"))
    all_of_it = pause_destructive_tools(org_id="org-2", actor="Ana", reason="audit")
    assert book.now().pauses_destructive_tools("org-2", TokenRef("live", "000000000000"))
    resume_destructive_tools(freeze=one, actor="Ben")
    resume_destructive_tools(freeze=all_of_it, actor="Ben")
    assert not book.now().freezes
    asyncio.run(book.stop())


def test_a_notice_replaces_the_one_before_it_and_ends(sqlite_database):
    book = restriction_store()
    set_notice(**TOKEN, org_id="org-1", text="Rotate\nby Friday.")
    assert book.now().notice(TokenRef(**TOKEN)) == Notice("Rotate by Friday.", False)
    set_notice(**TOKEN, org_id="org-1", text="Rotate today.", is_in_text=True)
    assert book.now().notice(TokenRef(**TOKEN)) == Notice("Rotate today.", True)
    assert clear_notice(**TOKEN, org_id="org-1")
    assert not clear_notice(**TOKEN, org_id="org-1")
    assert book.now().notice(TokenRef(**TOKEN)) is None
    asyncio.run(book.stop())


def test_over_stdio_a_call_is_refused_while_nothing_is_known(sqlite_database, runner, tmp_path):
    bridge = bridge_to()
    runner.run(bridge.start())
    bridge.restrictions = SqliteRestrictionStore(str(tmp_path / "none.sqlite3"))
    credential = credential_from_text(assembled_token())
    context = RequestContext(credential, Caller(credential.env, credential.prefix))
    started = asyncio.Event()
    started.set()
    answer = runner.run(StdioTools(bridge, started).call("list_clients", {}, context))
    runner.run(bridge.stop())
    assert error_in(answer)["code"] == "restrictions_unknown"
