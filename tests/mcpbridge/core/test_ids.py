import multiprocessing
import os
import secrets
import time
from uuid import RFC_4122, UUID

from mcpbridge.core import ids
from mcpbridge.core.ids import new_id


def test_ids_are_version_7_and_do_not_repeat():
    made = {new_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}


def test_ids_begin_with_the_millisecond_in_which_they_were_drawn():
    before, made, after = time.time_ns() // 1_000_000, new_id(), time.time_ns() // 1_000_000
    assert before <= made.int >> 80 <= after


def test_a_forked_process_draws_other_ids():
    # What the parent has in store for later ids is the child's as well.
    new_id()
    reading, writing = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        writing.send([random_part(new_id()) for _ in range(1000)])
        os._exit(0)
    drawn = reading.recv()
    os.waitpid(child, 0)
    assert not {random_part(new_id()) for _ in range(1000)} & set(drawn)


def test_every_random_bit_of_an_id_comes_from_the_system(monkeypatch):
    """No generator stands between, whose state a reader of many ids could compute."""
    read: list[bytes] = []

    def urandom(size: int) -> bytes:
        read.append(secrets.token_bytes(size))
        return read[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    monkeypatch.setattr(ids, "_spare", [])
    drawn = [random_part(new_id()) for _ in range(1000)]
    parts = [each[at : at + 10] for each in read for at in range(0, len(each), 10)]
    from_system = {random_part(UUID(int=int.from_bytes(part))) for part in parts}
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= from_system


def random_part(made: UUID) -> int:
    """The 74 bits of an id that are neither its time nor its version and variant."""
    return made.int & ((1 << 80) - 1) & ~(15 << 76 | 3 << 62)
