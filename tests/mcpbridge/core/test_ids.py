import multiprocessing
import os
import time
from uuid import RFC_4122

from mcpbridge.core.ids import new_id


def test_ids_are_version_7_and_do_not_repeat():
    made = {new_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}


def test_ids_begin_with_the_millisecond_in_which_they_were_drawn():
    before, made, after = time.time_ns() // 1_000_000, new_id(), time.time_ns() // 1_000_000
    assert before <= made.int >> 80 <= after


def test_a_forked_process_draws_other_ids():
    reading, writing = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        writing.send(new_id())
        os._exit(0)
    os.waitpid(child, 0)
    assert reading.recv() != new_id()
