import multiprocessing
import os

from mcpbridge.ids import new_id


def test_ids_are_version_4_and_do_not_repeat():
    made = {new_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert {each.version for each in made} == {4}


def test_a_forked_process_draws_other_ids():
    reading, writing = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        writing.send(new_id())
        os._exit(0)
    os.waitpid(child, 0)
    assert reading.recv() != new_id()
