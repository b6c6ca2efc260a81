"""Every seed that was ever kept, and every one byte away from it, keeps every promise."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Broken, answer_of, promise
from tests.generated import examples
from tests.mcpbridge.fixtures import CLIENT_ID

SEEDS = Path(__file__).parent / "seeds"
KEPT = [(target, path) for target in TARGETS for path in sorted((SEEDS / target).iterdir())]


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("target", "path"), KEPT, ids=lambda value: getattr(value, "name", value))
def test_a_kept_seed_keeps_every_promise(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_seeds(target: str) -> None:
    assert len([path for name, path in KEPT if name == target]) >= 5


def test_the_seeds_get_as_far_as_a_tool() -> None:
    read = answer_of((SEEDS / "entry/read").read_bytes())
    assert read["result"]["structuredContent"] == {"data": {"id": CLIENT_ID, "name": "Globex"}}
    assert not read["result"]["isError"]
    assert answer_of((SEEDS / "entry/delete").read_bytes())["result"]["isError"]


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_near_a_seed_keeps_them_too(target: str) -> None:
    seeds = [path.read_bytes() for name, path in KEPT if name == target]

    @settings(max_examples=examples(80), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(seeds), st.integers(0, 400), st.integers(0, 12), st.binary(max_size=8))
    def near(seed: bytes, at: int, cut: int, put: bytes) -> None:
        at %= len(seed) + 1
        TARGETS[target](seed[:at] + put + seed[at + cut :])

    near()


def test_a_broken_promise_is_told() -> None:
    with pytest.raises(Broken, match="one answer"):
        promise(False, "one answer")
