"""The machine's clock is set back by two hours while the console works: nothing is lost, shut or let through by it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from tests.faults.mcp import call_tool
from tests.faults.test_blocking import Admin
from tests.paths import ROOT
from tests.servers import Served, served_console
from tests.stored_rows import sqlite_rows

BACK = timedelta(hours=2)


class Clock:
    """The clock that the console reads. Time limits go by another, which nobody sets."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.turn(timedelta())
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{Path(__file__).parent / 'clock'}:{ROOT}",
        }

    def turn(self, by: timedelta) -> None:
        """Set it `by` so much from the true time."""
        made = self._file.with_suffix(".new")
        made.write_text(f"{by.total_seconds():+.0f}\n", encoding="ascii")
        os.replace(made, self._file)


@contextmanager
def console_on_a_clock(folder: Path, library: Path) -> Iterator[tuple[Served, Clock]]:
    clock = Clock(library, folder / "clock")
    with served_console(folder / "console", env={"SANDBOX_RATE_LIMITS": "off"}, start=False) as served:
        # The commands that the test starts go by the true time.
        of_commands = served.environment
        served.environment = {**of_commands, **clock.environment}
        served.start()
        served.environment = of_commands
        yield served, clock


def deleted(served: Served, token: str) -> str:
    """The id of a client that was made and deleted."""
    made = call_tool(served, token, "create_client", {"name": "Initech"}).result
    record_id = str(made["structuredContent"]["data"]["id"])
    assert call_tool(served, token, "delete_client", {"id": record_id}).result["isError"] is False
    return record_id


def test_a_clock_that_is_set_back_stops_nothing(tmp_path: Path, needs: Callable[[bool, str], None]) -> None:
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    needs(bool(libraries), "libfaketime is not installed (Debian: libfaketime).")
    with console_on_a_clock(tmp_path, libraries[0]) as (served, clock):
        token = served.mint_for("OWNER")
        admin = Admin(served)
        before = deleted(served, token)
        clock.turn(-BACK)
        after = deleted(served, token)
        # Whoever was signed in still is, and a block takes effect on the next call.
        click = admin.ready(token.split("_")[2])
        click()
        assert call_tool(served, token, "get_me").status == 401
        admin.close()
        assert served.stop() == 0
        path = served.var / "console.sqlite3"
        rows = sqlite_rows(
            path, "SELECT * FROM mcpbridge_auditevent WHERE phase IN ('intent', 'outcome') ORDER BY sequence"
        )
        calls = sqlite_rows(path, "SELECT * FROM mcpbridge_toolcall ORDER BY id")
        verdict = json.loads(served.manage("audit_verify", "--json"))
    assert [(row["phase"], row["target_id"]) for row in rows] == [
        ("intent", before),
        ("outcome", before),
        ("intent", after),
        ("outcome", after),
    ]
    # The clock did go back; the record's order does not go by it.
    assert at(rows[2]) < at(rows[1]) - BACK / 2
    assert verdict["ok"], verdict["bad"]
    assert [call["tool"] for call in calls] == ["create_client", "delete_client"] * 2
    assert all(call["duration_ms"] >= 0 for call in calls)


def at(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(row["recorded_at"])
