"""A console in front of a Hoursmith that fails to order."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.faults.upstream import Hoursmith, serving
from tests.postgres import shared_cluster
from tests.servers import Served, served_console
from tests.stored_rows import sqlite_rows
from tests.waiting import eventually

UPSTREAM_TIMEOUT_S = 1.5


@dataclass
class Bench:
    """A served console, the Hoursmith behind it, and a look into its database."""

    served: Served
    hoursmith: Hoursmith
    database_url: str

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.database_url.removeprefix("sqlite:///"))

    def rows(self, table: str, where: str = "", *parameters: Any) -> list[dict[str, Any]]:
        """Rows of `table`, read on a connection of its own."""
        question = f"SELECT * FROM mcpbridge_{table} {where}"
        if self.database_url.startswith("sqlite"):
            return sqlite_rows(self.path, question, parameters)
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(question.replace("?", "%s"), parameters).fetchall()

    def record_of(self, prefix: str) -> list[tuple[str, str, int | None, str]]:
        """Phase, result, status and code of the audit rows of the token with `prefix`."""
        found = self.rows("auditevent", "WHERE prefix = ? ORDER BY recorded_at, phase", prefix)
        return [(row["phase"], row["result"], row["status"], row["code"]) for row in found]

    def answers(self) -> bool:
        """Whether it serves just now."""
        try:
            with urllib.request.urlopen(f"{self.served.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def eventually(self, check: Callable[[], bool], seconds: float = 30) -> None:
        eventually(check, seconds, told=lambda: self.served.output()[-2000:])


def prefix_of(token: str) -> str:
    return token.split("_")[2]


@contextmanager
def bench(
    folder: Path, hoursmith: Hoursmith, *, database_url: str | None = None, workers: int = 1, **env: Any
) -> Iterator[Bench]:
    url = database_url or f"sqlite:///{folder}/console.sqlite3"
    settings = {
        "HOURSMITH_API_URL": hoursmith.url,
        "UPSTREAM_TIMEOUT_S": str(UPSTREAM_TIMEOUT_S),
        "AUDIT_WRITE_TIMEOUT_MS": "1500",
        "LOG_LEVEL": "DEBUG",
        **env,
    }
    with served_console(folder, env=settings, database_url=url, workers=workers) as served:
        yield Bench(served, hoursmith, url)


@pytest.fixture(scope="module")
def hoursmith() -> Iterator[Hoursmith]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Hoursmith]:
    """Another origin: what the console must never talk to. The environment names it as the proxy for everything."""
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def sqlite_bench(
    hoursmith: Hoursmith, elsewhere: Hoursmith, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    proxy = f"http://127.0.0.1:{elsewhere.port}"
    proxies: dict[str, Any] = dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), proxy
    )
    with bench(tmp_path_factory.mktemp("faults"), hoursmith, **proxies) as running:
        yield running
        assert elsewhere.seen == []


@pytest.fixture(scope="module")
def postgres_bench(
    hoursmith: Hoursmith, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]
) -> Iterator[Bench]:
    url = shared_cluster(needs).create_database("faults")
    with bench(tmp_path_factory.mktemp("faults-pg"), hoursmith, database_url=url) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def either_bench(request: pytest.FixtureRequest) -> Bench:
    """The console on either database."""
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found


@pytest.fixture(autouse=True)
def _fresh(hoursmith: Hoursmith) -> None:
    hoursmith.seen.clear()
