"""What all tests share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import Served, served_console


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what starts servers and waits for them, so that no process is left with it alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def assembled_token(prefix: str = "4f8a2c1bdedf", secret: str = "S3cr3t", env: str = "live") -> str:  # noqa: S107 – not one
    """A token-shaped string, put together here so that no scanner finds one in the files."""
    return "_".join(["hsk", env, prefix, (secret * 32)[:32]])


@pytest.fixture
def token() -> str:
    return assembled_token()


@pytest.fixture(scope="session")
def needs() -> Callable[[bool, str], None]:
    """Skip with a reason where something is not installed; in CI, where all of it must be, fail instead."""

    def check(is_there: bool, reason: str) -> None:
        if not is_there:
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One console with a sandbox for all tests of this process that only need one to be there. No rate limits."""
    folder: Path = tmp_path_factory.mktemp("console")
    with served_console(folder, env={"SANDBOX_RATE_LIMITS": "off"}) as served:
        yield served
