"""Rejected requests: whose they are, and the room that they have, on both databases."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from django.utils import timezone

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.rejections import (
    ROWS_AT_MOST,
    ROWS_AT_MOST_A_TOKEN,
    Attempt,
    Rejection,
    attempts_of,
    upsert_rejections,
)
from mcpbridge.core.token_digest import token_digests
from mcpbridge.db.timeouts import bounded_transaction
from mcpbridge.models import ObservedConnection, ObservedToken, RejectedCredential
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.usefixtures("database")

PREFIX = "4f8a2c1bdedf"
TOKEN, GUESS = assembled_token(PREFIX), assembled_token(PREFIX, secret="Gu3ss")
Reject = Callable[..., None]


def rejection(token: str = "", **more: str) -> Rejection:
    """A rejected request with `token`."""
    said = Rejection("live", token[9:21] or "", "rejected", "Claude Code", "", "203.0.113.9", ())
    return said._replace(**more, digests=token_digests(token) if token else ())


@pytest.fixture
def seen_token(runner: asyncio.Runner) -> ObservedToken:
    """A token that Hoursmith has accepted through the bridge."""
    recorder = ActivityRecorder()
    recorder.start()
    recorder.call(a_call(caller={"digests": token_digests(TOKEN)}), SUCCEEDED)
    runner.run(recorder.stop())
    return ObservedToken.objects.get(prefix=PREFIX)


@pytest.fixture
def reject(runner: asyncio.Runner) -> Reject:
    """Record rejected requests, in one batch."""

    def record(*rejections: Rejection) -> None:
        recorder = ActivityRecorder()
        recorder.start()
        for each in rejections:
            recorder.rejected(each)
        runner.run(recorder.stop())

    return record


def test_only_the_token_itself_is_told_from_a_request_with_its_prefix(
    seen_token: ObservedToken, reject: Reject
) -> None:
    assert bytes(seen_token.token_digest or b"") == token_digests(TOKEN)[0]
    reject(rejection(TOKEN), rejection(GUESS), rejection(GUESS), rejection(TOKEN), rejection(GUESS))
    rows = RejectedCredential.objects.order_by("matches_token").values_list("matches_token", "attempts")
    assert list(rows) == [(False, 3), (True, 2)]


def test_a_token_of_the_other_environment_is_another_token(seen_token: ObservedToken, reject: Reject) -> None:
    reject(rejection(TOKEN)._replace(env="test"))
    assert RejectedCredential.objects.get().matches_token is False


def test_what_hoursmith_accepted_last_is_the_token(seen_token: ObservedToken, runner: asyncio.Runner) -> None:
    ObservedToken.objects.update(token_digest=token_digests(GUESS)[0])
    recorder = ActivityRecorder()
    recorder.start()
    recorder.call(a_call(caller={"digests": token_digests(TOKEN)}), SUCCEEDED)
    runner.run(recorder.stop())
    assert bytes(ObservedToken.objects.get().token_digest or b"") == token_digests(TOKEN)[0]


def test_a_digest_outlives_a_change_of_the_secret_key(
    seen_token: ObservedToken, reject: Reject, settings: pytest.FixtureRequest
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]  # type: ignore[attr-defined]
    settings.SECRET_KEY = "another key, for no good reason at all"  # type: ignore[attr-defined]
    reject(rejection(TOKEN))
    assert RejectedCredential.objects.get().matches_token is True


def test_strangers_never_push_a_tokens_own_requests_out(seen_token: ObservedToken, reject: Reject) -> None:
    guesses = [rejection(assembled_token(PREFIX, secret=f"guess{number}"), client_name=f"Claude {number}")
               for number in range(ROWS_AT_MOST + 300)]  # fmt: skip
    for start in range(0, len(guesses), 900):
        reject(*guesses[start : start + 900])
    strangers = RejectedCredential.objects.filter(matches_token=False)
    assert strangers.exclude(address="other").count() == ROWS_AT_MOST
    assert strangers.get(address="other").attempts == 300
    reject(*(rejection(TOKEN, client_name=f"Cursor {number}") for number in range(ROWS_AT_MOST_A_TOKEN + 30)))
    own = RejectedCredential.objects.filter(matches_token=True)
    assert own.exclude(address="other").count() == ROWS_AT_MOST_A_TOKEN
    # What finds no room is still the token's.
    assert (own.get(address="other").prefix, own.get(address="other").attempts) == (PREFIX, 30)
    assert strangers.count() == ROWS_AT_MOST + 1


def test_a_flood_of_one_moment_is_counted_whole(seen_token: ObservedToken, reject: Reject) -> None:
    guesses = [rejection(client_name=f"Claude {number}", fault="missing") for number in range(3_000)]
    reject(*guesses, rejection(TOKEN))
    rows = RejectedCredential.objects.all()
    assert sum(rows.values_list("attempts", flat=True)) == 3_001
    assert rows.get(matches_token=True).client_name == "Claude Code"
    assert rows.count() < ROWS_AT_MOST


def test_a_connection_names_the_token_of_a_fault_only_where_it_was_the_token(
    seen_token: ObservedToken, reject: Reject
) -> None:
    ObservedConnection.objects.create(slug="desk", org_id="org-1")
    reject(rejection(GUESS, connection="desk"))
    assert ObservedConnection.objects.values_list("fault", "fault_prefix").get() == ("rejected", "")
    reject(rejection(TOKEN, connection="desk"))
    assert ObservedConnection.objects.values_list("fault", "fault_prefix").get() == ("rejected", PREFIX)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements of the block."""
    found: list[str] = []

    def note(execute: Callable[..., object], sql: str, *rest: object) -> object:
        found.append(sql)
        return execute(sql, *rest)

    with connections["default"].execute_wrapper(note):
        yield found


def test_a_batch_asks_about_its_own_rows_however_many_there_are(
    database: RecordDatabase, seen_token: ObservedToken
) -> None:
    now = timezone.now()
    own = [
        RejectedCredential(env="live", prefix=f"{number:012x}", fault="rejected", matches_token=True, first_at=now,
                           last_at=now)
        for number in range(5_000)
    ]  # fmt: skip
    RejectedCredential.objects.bulk_create(own)
    attempts = {Attempt("live", PREFIX, "rejected", "Claude Code", "", "::1", True): 1,
                Attempt("live", PREFIX, "rejected", "Claude Code", "", "::1"): 1}  # fmt: skip
    if database.path is None:
        with connections["default"].cursor() as cursor:
            cursor.execute("ANALYZE mcpbridge_rejectedcredential")
    with bounded_transaction("default", limit_s=5), statements() as found:
        upsert_rejections("default", attempts, at=now)
    reads = [sql for sql in found if sql.startswith("SELECT") and "rejectedcredential" in sql]
    assert len(reads) == 3
    for sql in reads:
        assert "WHERE" in sql
    plans = "\n".join(_plans(database, attempts))
    assert "SCAN mcpbridge_rejectedcredential\n" not in plans
    assert "Seq Scan" not in plans


def _plans(database: RecordDatabase, attempts: dict[Attempt, int]) -> Iterator[str]:
    """How the database finds the rows of `attempts` and the room left for them."""
    rows = RejectedCredential.objects.order_by()
    first = next(iter(attempts))
    yield rows.filter(**first._asdict()).explain() + "\n"
    yield rows.filter(matches_token=False).exclude(address="other").explain() + "\n"
    yield rows.filter(prefix__in=[PREFIX], matches_token=True).explain() + "\n"


WORKER = """
from collections import Counter
from django.utils import timezone
from mcpbridge.db.timeouts import bounded_transaction, use_own_connection
from mcpbridge.activity.rejections import Attempt, upsert_rejections
import os
use_own_connection("default", limit_s=20)
for batch in range(30):
    attempts = {Attempt("live", "4f8a2c1bdedf", "rejected", f"c {os.getpid()} {batch} {n}", "", "::1", own): 1
                for n in range(30) for own in (False, True)}
    with bounded_transaction("default", limit_s=20):
        upsert_rejections("default", attempts, at=timezone.now())
"""


def test_three_writers_at_once_stay_within_the_room(database: RecordDatabase, seen_token: ObservedToken) -> None:
    workers = [database.run_python(WORKER) for _ in range(3)]
    for worker in workers:
        output, _ = worker.communicate(timeout=120)
        assert (worker.returncode, output) == (0, "")
    counted = Counter(RejectedCredential.objects.exclude(address="other").values_list("matches_token", flat=True))
    assert counted == {False: ROWS_AT_MOST, True: ROWS_AT_MOST_A_TOKEN}
    assert sum(RejectedCredential.objects.values_list("attempts", flat=True)) == 3 * 30 * 60
    assert attempts_of("default", {rejection(TOKEN): 1}) == {
        Attempt("live", PREFIX, "rejected", "Claude Code", "", "203.0.113.9", matches_token=True): 1
    }
