"""The counts beside the activity: the same whether they were kept call by call or made from the rows."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.usage import HOURS_KEPT_FOR, delete_old_hours, hour_of, network_of
from mcpbridge.core.types import Call, CallResult
from mcpbridge.models import CallHour, CallKind, Result, TokenNetwork, TokenTool
from tests.call_records import ANONYMOUS, REFUSED, SUCCEEDED, a_call
from tests.mcpbridge.activity.counted_from_rows import fill

pytestmark = pytest.mark.usefixtures("database")

FAILED = CallResult(Result.FAILED, 504, "upstream_timeout", 9.0)
TABLES = (CallHour, TokenTool, TokenNetwork)
START = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


def _record(runner: asyncio.Runner, *ended: tuple[Call, CallResult], accepted: bool = True) -> None:
    recorder = ActivityRecorder()
    recorder.start()
    for call, ending in ended:
        recorder.call(call, ending, recorded_in_token=accepted)
    runner.run(recorder.stop())
    assert recorder.lost == 0


def _hours() -> dict[tuple[str, int], tuple[int, ...]]:
    rows = CallHour.objects.values_list(
        "prefix", "hour", "calls_read", "calls_write", "calls_destructive", "calls_attempted", "calls_refused"
    )
    return {(prefix, hour - hour_of(START)): tuple(counts) for prefix, hour, *counts in rows}


def _mixture() -> list[tuple[Call, CallResult]]:
    """Calls of two tokens in two hours, from three networks, of every kind and ending."""
    made = []
    for number in range(60):
        call = a_call(
            kind=(CallKind.READ, CallKind.READ, CallKind.WRITE, CallKind.DESTRUCTIVE)[number % 4],
            at=START + timedelta(minutes=2 * number),
            caller={
                "prefix": "4f8a2c1bdedf" if number % 3 else "aaaaaaaaaaaa",
                "address": ("198.51.100.7", "198.51.100.200", "2001:db8:7:1::9", "")[number % 4],
            },
        )
        made.append((call, (SUCCEEDED, SUCCEEDED, REFUSED, SUCCEEDED, FAILED)[number % 5]))
    return made


def test_calls_are_counted_by_hour_for_the_token_and_for_the_workspace(runner: asyncio.Runner) -> None:
    _record(
        runner,
        (a_call(kind=CallKind.READ, at=START), SUCCEEDED),
        (a_call(kind=CallKind.READ, at=START + timedelta(minutes=59, seconds=59)), SUCCEEDED),
        (a_call(at=START + timedelta(hours=1)), SUCCEEDED),
        (a_call(at=START + timedelta(hours=1)), REFUSED),
        (a_call(kind=CallKind.WRITE, at=START + timedelta(hours=1), caller={"prefix": "aaaaaaaaaaaa"}), FAILED),
    )
    assert _hours() == {
        ("4f8a2c1bdedf", 0): (2, 0, 0, 0, 0),
        ("4f8a2c1bdedf", 1): (0, 0, 1, 2, 1),
        ("aaaaaaaaaaaa", 1): (0, 0, 0, 0, 1),
        ("", 0): (2, 0, 0, 0, 0),
        ("", 1): (0, 0, 1, 2, 2),
    }


def test_a_later_batch_adds_to_what_is_there(runner: asyncio.Runner) -> None:
    for _ in range(3):
        _record(runner, (a_call(at=START), SUCCEEDED), (a_call(at=START), REFUSED))
    assert _hours()["", 0] == (0, 0, 3, 6, 3)
    tool = TokenTool.objects.get()
    assert (tool.calls, tool.refused) == (6, 3)
    assert TokenNetwork.objects.get().calls == 6


def test_first_and_last_use_of_tools_and_networks_are_kept(runner: asyncio.Runner) -> None:
    for hours in (1, 2, 0):
        at = START + timedelta(hours=hours)
        _record(runner, (a_call(at=at, caller={"address": f"203.0.113.{hours}"}), SUCCEEDED))
    for row in (TokenTool.objects.get(), TokenNetwork.objects.get()):
        assert row.first_at == START + timedelta(hours=1)
        assert row.last_at == START + timedelta(hours=2)


def test_what_belongs_to_nobody_is_counted_for_nobody(runner: asyncio.Runner) -> None:
    _record(runner, (a_call(identity=ANONYMOUS), REFUSED), accepted=False)
    assert not any(table.objects.exists() for table in TABLES)


def test_the_migration_counts_what_the_recorder_counted(runner: asyncio.Runner) -> None:
    _record(runner, *_mixture())
    kept = [_content(table) for table in TABLES]
    assert all(kept)
    for table in TABLES:
        table.objects.all().delete()
    fill(connections["default"])
    assert [_content(table) for table in TABLES] == kept


def _content(table: Any) -> list[tuple[Any, ...]]:
    names = [field.attname for field in table._meta.concrete_fields if field.attname != "id"]
    return sorted(table.objects.values_list(*names))


def test_hours_that_no_page_shows_are_forgotten() -> None:
    now = timezone.now()
    for age in (timedelta(0), HOURS_KEPT_FOR, HOURS_KEPT_FOR + timedelta(hours=1)):
        CallHour.objects.create(org_id="org-1", hour=hour_of(now - age))
    delete_old_hours("default", now=now)
    assert CallHour.objects.count() == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:7:1:2::3", "2001:db8:7::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("somewhere", ""),
    ],
)
def test_addresses_are_cut_to_their_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_hours_are_counted_from_1970() -> None:
    assert hour_of(datetime(1970, 1, 2, 1, 59, tzinfo=UTC)) == 25
