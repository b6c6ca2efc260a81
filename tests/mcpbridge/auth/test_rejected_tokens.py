"""The file in which the processes of a machine count what Hoursmith refused."""

import os
from collections import Counter
from pathlib import Path

import pytest

from mcpbridge.auth.rejected_tokens import (
    MAX_SLOTS,
    MAX_SLOTS_PER_ADDRESS,
    REJECTED_FOR_AT_MOST_S,
    REJECTED_FOR_S,
    WINDOW_S,
    NoSlot,
    RejectedTokens,
    Slot,
    TokenHistory,
)
from tests.python_code import RunningCode


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[True, False])
def refusals(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> RejectedTokens:
    """With a file and without one."""
    return RejectedTokens(tmp_path / "refusals" if request.param else None, clock=clock)


def taken(refusals: RejectedTokens, sort: TokenHistory, addresses: list[str]) -> list[Slot]:
    found = [refusals.take(sort, address) for address in addresses]
    return [each for each in found if isinstance(each, Slot)]


def test_an_address_gets_so_many_places_and_all_strangers_some_more(refusals: RejectedTokens) -> None:
    assert len(taken(refusals, TokenHistory.UNKNOWN, ["203.0.113.9"] * 10)) == MAX_SLOTS_PER_ADDRESS
    assert len(taken(refusals, TokenHistory.UNKNOWN, [f"198.51.100.{number}" for number in range(10)])) == 2
    # What was refused before has places of its own, and all together stay below what Hoursmith allows.
    assert len(taken(refusals, TokenHistory.REJECTED_BEFORE, ["203.0.113.9"] * 10)) == 2
    assert MAX_SLOTS < 10


def test_the_addresses_of_one_ipv6_network_are_one(refusals: RejectedTokens) -> None:
    addresses = [f"2001:db8:7:1::{number:x}" for number in range(10)]
    assert len(taken(refusals, TokenHistory.UNKNOWN, addresses)) == MAX_SLOTS_PER_ADDRESS
    assert len(taken(refusals, TokenHistory.UNKNOWN, ["2001:db8:7:2::1"])) == 1


def test_a_place_that_is_given_back_is_free_and_one_that_is_spent_is_not(
    refusals: RejectedTokens, clock: Clock
) -> None:
    places = taken(refusals, TokenHistory.UNKNOWN, ["a"] * 10)
    assert refusals.take(TokenHistory.UNKNOWN, "a") == NoSlot(1, is_held=True)
    for place in places[:2]:
        refusals.give_back(place)
    for place in places[2:]:
        refusals.spend(place, TokenHistory.UNKNOWN, "a")
    assert len(taken(refusals, TokenHistory.UNKNOWN, ["a"] * 10)) == 2
    clock.now += WINDOW_S - 1
    for place in taken(refusals, TokenHistory.UNKNOWN, ["b"]):
        refusals.give_back(place)
    clock.now += 1
    assert len(taken(refusals, TokenHistory.UNKNOWN, ["a"] * 10)) == MAX_SLOTS_PER_ADDRESS


def test_a_full_minute_says_how_long_it_lasts(refusals: RejectedTokens, clock: Clock) -> None:
    for place in taken(refusals, TokenHistory.UNKNOWN, ["a"] * 4):
        refusals.spend(place, TokenHistory.UNKNOWN, "a")
        clock.now += 5
    assert refusals.take(TokenHistory.UNKNOWN, "a") == NoSlot(40, is_held=False)


def test_a_place_whose_holder_was_killed_comes_back(refusals: RejectedTokens, clock: Clock) -> None:
    old = taken(refusals, TokenHistory.UNKNOWN, ["a"] * 4)
    clock.now += WINDOW_S + 1
    new = taken(refusals, TokenHistory.UNKNOWN, ["a"] * 4)
    assert len(new) == 4
    for place in old:
        # It is somebody else's by now.
        refusals.give_back(place)
    assert taken(refusals, TokenHistory.UNKNOWN, ["a"]) == []


def test_refusals_of_known_tokens_take_from_strangers_and_not_the_other_way_round(refusals: RejectedTokens) -> None:
    for _ in range(20):
        refusals.count(TokenHistory.ACCEPTED_BEFORE, "office")
    assert taken(refusals, TokenHistory.UNKNOWN, ["a"]) == []


def test_strangers_never_push_out_a_token_that_was_accepted_once(refusals: RejectedTokens) -> None:
    known = [bytes([number]) * 32 for number in range(1, 11)]
    for digest in known:
        refusals.remember(digest, was_accepted=True)
    for number in range(3_000):
        refusals.remember(number.to_bytes(32, "big"), was_accepted=False)
    for digest in known:
        found = refusals.refused(digest)
        assert found is not None
        assert (found.is_in_force, found.was_accepted) == (True, True)


def test_a_refused_token_is_left_alone_for_longer_each_time(refusals: RejectedTokens, clock: Clock) -> None:
    digest, waits = b"d" * 32, []
    for _ in range(7):
        refusals.remember(digest, was_accepted=True)
        waited = 0
        while (found := refusals.refused(digest)) is not None and found.is_in_force:
            clock.now += 30
            waited += 30
        waits.append(waited)
    assert waits == [REJECTED_FOR_S, 120, 240, 480, *[REJECTED_FOR_AT_MOST_S] * 3]


def test_a_clock_that_is_set_back_refuses_nobody_for_years(refusals: RejectedTokens, clock: Clock) -> None:
    refusals.remember(b"d" * 32, was_accepted=True)
    taken(refusals, TokenHistory.UNKNOWN, ["a"] * 4)
    clock.now -= 1_000_000
    found = refusals.refused(b"d" * 32)
    assert found is not None
    assert not found.is_in_force
    assert len(taken(refusals, TokenHistory.UNKNOWN, ["a"] * 10)) == MAX_SLOTS_PER_ADDRESS


@pytest.mark.parametrize("content", [b"", b"refused1", b"\xff" * 60_000, b"something else"])
def test_a_file_that_is_not_whole_is_begun_anew(tmp_path: Path, clock: Clock, content: bytes) -> None:
    path = tmp_path / "refusals"
    path.write_bytes(content)
    refusals = RejectedTokens(path, clock=clock)
    assert len(taken(refusals, TokenHistory.UNKNOWN, ["a"] * 10)) == MAX_SLOTS_PER_ADDRESS
    refusals.remember(b"d" * 32, was_accepted=True)
    again = RejectedTokens(path, clock=clock)
    assert again.refused(b"d" * 32) is not None
    assert taken(again, TokenHistory.UNKNOWN, ["a"]) == []


def test_a_folder_that_cannot_be_written_leaves_each_process_its_share(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    refusals = RejectedTokens(tmp_path / "file" / "refusals", workers=3, clock=clock)
    assert len(taken(refusals, TokenHistory.UNKNOWN, [f"{number}" for number in range(10)])) == 2


WORKER = """
import time
from pathlib import Path
from mcpbridge.auth import rejected_tokens
from mcpbridge.auth.rejected_tokens import RejectedTokens, Slot, TokenHistory
# Past its limit a process goes on without the lock, as it does where another one is stopped for that long.
rejected_tokens._FILE_LOCK_S = 30
rejected = RejectedTokens(Path({path!r}))
print("ready", flush=True)
while not Path({path!r}).with_name("begin").exists():
    time.sleep(0.0001)
print(sum(isinstance(rejected.take(TokenHistory.UNKNOWN, f"{number} {{n}}"), Slot) for n in range(200)))
"""


def test_processes_at_once_get_no_place_twice(tmp_path: Path) -> None:
    codes = [WORKER.format(path=str(tmp_path / "refusals"), number=number) for number in range(4)]
    workers = [RunningCode(code, dict(os.environ)) for code in codes]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    # All begin at the same moment.
    (tmp_path / "begin").touch()
    counts = Counter({number: int(worker.communicate()[0]) for number, worker in enumerate(workers)})
    assert counts.total() == 6
