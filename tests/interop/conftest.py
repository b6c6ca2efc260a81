"""What the interop tests share: a console on two workers, a token of its owner, and Node.js."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.node import Node, NodeUnavailableError, installed_node
from tests.servers import Served, served_console

# Without SANDBOX_RATE_LIMITS the clients would have to share one token's budget.
UNLIMITED = {"SANDBOX_RATE_LIMITS": "off"}


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console on two workers, so that nothing can live in one worker's memory unnoticed."""
    with served_console(tmp_path_factory.mktemp("interop-console"), env=UNLIMITED, workers=2) as served:
        yield served


@pytest.fixture(scope="session")
def owner_token(console: Served) -> str:
    return console.mint_for("OWNER", "Interop")


@pytest.fixture(scope="session")
def node(needs: Callable[[bool, str], None]) -> Node:
    try:
        return installed_node()
    except NodeUnavailableError as error:
        needs(False, str(error))
        raise


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder for programs that keep things there."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def calls_by(console: Served) -> Callable[[str], list[dict[str, Any]]]:
    """The activity that the console recorded of the client with a name, the oldest call first."""

    def look(name: str) -> list[dict[str, Any]]:
        return list(
            console.shell(
                "import json; from mcpbridge.models import ToolCall; "
                f"rows = ToolCall.objects.filter(client_name={name!r}).order_by('at'); "
                "print(json.dumps(list(rows.values('tool', 'client_version', 'protocol', 'transport', 'result'))))"
            )
        )

    return look
