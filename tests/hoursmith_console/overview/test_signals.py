"""What the overview calls new, and what it does not."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.overview.signals import BURST_CALLS, densest, signals
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import call_row, make_audit, make_call, make_client, tally

Browse = Callable[[str], Client]
NOW = timezone.now()


@pytest.fixture(autouse=True)
def at_one_instant(stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)


def _whats(cast: Cast, person: str = "owner") -> list[str]:
    return [str(signal.what) for signal in signals(Viewer(cast.people[person], []))]


def test_an_assistant_is_new_for_a_week_and_only_by_a_name_that_nobody_used(cast: Cast) -> None:
    long_ago = NOW - timedelta(days=20)
    make_client(cast.tokens["owner"], name="Cursor", first_seen_at=long_ago)
    make_client(cast.tokens["admin"], name="Cursor", first_seen_at=NOW)
    make_client(cast.tokens["admin"], name="Zed", first_seen_at=NOW - timedelta(days=6))
    make_client(cast.tokens["outsider"], name="Windsurf", first_seen_at=NOW)
    assert [what for what in _whats(cast) if "assistant" in what] == [
        "New assistant: <strong class='name'>Zed</strong>"
    ]
    assert _whats(cast, "member") == []


def test_a_network_is_new_where_the_token_was_in_use_before(cast: Cast) -> None:
    token, young = cast.tokens["owner"], cast.tokens["admin"]
    make_call(token, at=NOW - timedelta(days=15), address="198.51.100.7")
    make_call(token, at=NOW, address="198.51.100.250")
    ObservedToken.objects.filter(pk=young.pk).update(first_used_at=NOW - timedelta(hours=2))
    make_call(young, address="203.0.113.5")
    assert not [what for what in _whats(cast) if "network" in what]
    make_call(token, at=NOW, address="192.0.2.9")
    assert [what for what in _whats(cast) if "network" in what] == [
        'New network for <strong class="name">owner&#x27;s laptop</strong>: <code>192.0.2.0/24</code>'
    ]


def test_a_first_destructive_call_is_new_once(cast: Cast) -> None:
    token = cast.tokens["manager"]
    make_call(token, "delete_client", at=NOW - timedelta(days=2))
    assert any("delete_client" in what and "First" in what for what in _whats(cast))
    other = cast.tokens["admin"]
    make_call(other, "delete_expense", at=NOW - timedelta(days=40))
    make_call(other, "archive_task", at=NOW)
    assert not any("archive_task" in what for what in _whats(cast))


def _destroy(token: ObservedToken, times: int, *, at: datetime, apart: timedelta = timedelta(seconds=20)) -> None:
    rows = [call_row(token, "delete_time_entry", at + number * apart) for number in range(times)]
    tally(rows)
    for row in rows:
        make_audit(token, "delete_time_entry", row.at)


@pytest.mark.parametrize(
    ("times", "apart_s", "usual", "is_burst"),
    [
        (BURST_CALLS, 20, 0, True),
        (BURST_CALLS - 1, 20, 0, False),
        (BURST_CALLS, 120, 0, False),
        (BURST_CALLS, 20, 9, False),
        (BURST_CALLS, 20, 2, True),
    ],
)
def test_a_burst_is_many_deletions_at_once_and_more_than_usual(
    cast: Cast, times: int, apart_s: int, usual: int, is_burst: bool
) -> None:
    token = cast.tokens["manager"]
    if usual:
        _destroy(token, usual, at=NOW - timedelta(days=3))
    # Across the full hour, for it must not matter where the hours lie.
    border = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    _destroy(token, times, at=border - timedelta(seconds=80), apart=timedelta(seconds=apart_s))
    assert any(">10 records</a> within" in what for what in _whats(cast)) is is_burst
    assert not any("records within" in what for what in _whats(cast, "outsider"))


def test_the_densest_ten_minutes_are_found() -> None:
    start = datetime(2026, 1, 1)
    assert densest([]) == (0, None, None)
    instants = [start + timedelta(minutes=minute) for minute in (0, 9, 11, 19, 19, 21, 40)]
    assert densest(instants) == (4, instants[1], instants[4])


def test_each_signal_says_its_rule(cast: Cast, browse: Browse) -> None:
    make_client(cast.tokens["owner"], name="Zed", first_seen_at=NOW)
    page = browse("owner").get("/").content.decode()
    assert page.count("First use of this assistant in the last 7 days.") == 2
    assert 'href="/activity/?assistant=Zed"' in page
