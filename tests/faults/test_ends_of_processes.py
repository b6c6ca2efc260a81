"""The process, or the caller, goes away in the middle of a destructive call: the record says what is known."""

import http.client
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
from tests.databases import as_default
from tests.faults.conftest import Bench, prefix_of
from tests.faults.mcp import call_tool
from tests.faults.upstream import Gate

INTENT = ("intent", "", None, "")
SUCCEEDED = ("outcome", "succeeded", 204, "")


class Caller(threading.Thread):
    """Deletes a client in the background, and keeps what came of it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(daemon=True)
        self.bench = bench
        self.token = bench.hoursmith.mint()
        self.record_id = bench.hoursmith.record_for("delete_client")
        self.came: object = None

    def run(self) -> None:
        try:
            self.came = call_tool(self.bench.served, self.token, "delete_client", {"id": self.record_id})
        except (OSError, http.client.HTTPException) as error:
            self.came = error

    @property
    def record(self) -> list[tuple[str, str, int | None, str]]:
        return self.bench.record_of(prefix_of(self.token))

    @property
    def sent(self) -> int:
        return len([seen for seen in self.bench.hoursmith.changes if self.record_id in seen.path])


def under_way(bench: Bench, gate: Gate) -> Caller:
    """A destructive call that has reached Hoursmith and waits there."""
    caller = Caller(bench)
    caller.start()
    assert gate.arrived.wait(10)
    return caller


def page_of(bench: Bench, record_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The text of the owner's page about the call, as it reads an hour later."""
    with as_default(bench.database_url):
        workspace = import_workspace(org_id="org-1", name="Studio Nord", plan="agency")
        member = import_member(
            workspace=workspace, member_id="m1", user_ref="u1", name="Ana", email="ana@example.com", role="OWNER"
        )
        create_account(member=member, password=None)
        (row,) = bench.rows("auditevent", "WHERE target_id = ? AND phase = 'intent'", record_id)
        browser = Client()
        assert member.user is not None
        later = timezone.now() + timedelta(hours=1)
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda: later)
            browser.force_login(member.user)
            answer = browser.get(f"/audit/{UUID(str(row['call_id']))}/")
        assert answer.status_code == 200
        return str(answer.content.decode())


def test_a_process_killed_in_between_leaves_an_unknown_outcome(
    either_bench: Bench, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    gate = Gate(either_bench.hoursmith)
    with either_bench.hoursmith.failing("DELETE", gate):
        caller = under_way(either_bench, gate)
        assert caller.record == [INTENT]
        either_bench.served.kill()
        caller.join(10)
        gate.may_answer.set()
    assert isinstance(caller.came, OSError | http.client.HTTPException)
    either_bench.served.start()
    # Nobody guesses and nobody repeats: the row stays as it is, and a new call works.
    again = Caller(either_bench)
    again.run()
    assert again.record == [INTENT, SUCCEEDED]
    assert (caller.record, caller.sent) == ([INTENT], 1)
    with django_db_blocker.unblock():
        text = page_of(either_bench, caller.record_id, monkeypatch)
    assert "unknown" in text.lower()
    assert "Globex" in text


def test_a_killed_worker_is_replaced_and_its_call_is_not_repeated(sqlite_bench: Bench) -> None:
    gate = Gate(sqlite_bench.hoursmith)
    with sqlite_bench.hoursmith.failing("DELETE", gate):
        caller = under_way(sqlite_bench, gate)
        (worker,) = sqlite_bench.served.worker_pids()
        os.kill(worker, signal.SIGKILL)
        caller.join(10)
        gate.may_answer.set()
    sqlite_bench.eventually(lambda: sqlite_bench.served.worker_pids() not in ([], [worker]))
    sqlite_bench.eventually(lambda: sqlite_bench.answers())
    again = Caller(sqlite_bench)
    again.run()
    assert again.record == [INTENT, SUCCEEDED]
    assert (caller.record, caller.sent) == ([INTENT], 1)


def test_a_polite_end_waits_for_calls_under_way_and_their_outcome(either_bench: Bench) -> None:
    hoursmith, served = either_bench.hoursmith, either_bench.served
    deletion, reading, reader = Gate(hoursmith), Gate(hoursmith), hoursmith.mint()
    call_tool(served, reader, "get_me")
    with hoursmith.failing("DELETE", deletion), ThreadPoolExecutor(2) as pool:
        caller = under_way(either_bench, deletion)
        with hoursmith.failing("GET", reading):
            read = pool.submit(call_tool, served, reader, "list_clients")
            assert reading.arrived.wait(10)
        end = pool.submit(served.stop)
        either_bench.eventually(lambda: "Worker shutting down" in served.output().rpartition("Starting gunicorn")[2])
        deletion.may_answer.set()
        reading.may_answer.set()
        assert read.result(30).result["isError"] is False
        assert end.result(60) == 0
        caller.join(10)
    assert caller.record == [INTENT, SUCCEEDED]
    # The read had its row before the process was gone.
    assert either_bench.rows("toolcall", "WHERE prefix = ? AND tool = 'list_clients'", prefix_of(reader))
    served.start()


def test_a_caller_who_hangs_up_does_not_take_the_outcome_along(sqlite_bench: Bench) -> None:
    gate = Gate(sqlite_bench.hoursmith)
    token, record_id = sqlite_bench.hoursmith.mint(), sqlite_bench.hoursmith.record_for("delete_client")
    with sqlite_bench.hoursmith.failing("DELETE", gate):
        with pytest.raises(TimeoutError):
            call_tool(sqlite_bench.served, token, "delete_client", {"id": record_id}, timeout=0.4)
        assert gate.arrived.is_set()
        gate.may_answer.set()
        sqlite_bench.eventually(lambda: sqlite_bench.record_of(prefix_of(token)) == [INTENT, SUCCEEDED])
