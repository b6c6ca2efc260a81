"""Prometheus watches a console whose database hangs: the numbers go on, and the rules of the documentation fire."""

import json
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mcp import call_tool
from tests.paths import ROOT
from tests.postgres import Cluster, end_with_parent, shared_cluster
from tests.servers import Served, free_port, served_console
from tests.waiting import eventually

# As short as it may be: a response that takes longer counts as none.
CONFIGURATION = """
global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: hoursmith-console
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, folder: Path, console: Served) -> None:
        (folder / "prometheus.yml").write_text(
            CONFIGURATION.format(rules=ROOT / "docs/monitoring/alerts.yml", port=console.port), encoding="utf-8"
        )
        self._url = f"http://127.0.0.1:{free_port()}"
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self._url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=self._log,
            preexec_fn=end_with_parent,
        )

    def _ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return {}

    def values(self, query: str) -> list[float]:
        found = self._ask("/api/v1/query?" + urllib.parse.urlencode({"query": query})).get("result", [])
        return [float(each["value"][1]) for each in found]

    def alerts(self) -> set[str]:
        """The names of all alerts whose condition is met, whether for long enough or not yet."""
        return {each["labels"]["alertname"] for each in self._ask("/api/v1/alerts").get("alerts", [])}

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=20)
        self._log.close()


@pytest.fixture
def cluster(needs: Callable[[bool, str], None]) -> Cluster:
    return shared_cluster(needs)


@pytest.fixture
def console(cluster: Cluster, tmp_path: Path) -> Iterator[Served]:
    with served_console(
        tmp_path / "console", database_url=cluster.create_database("monitored"), workers=2, static=False
    ) as served:
        yield served


@pytest.fixture
def prometheus(tmp_path: Path, console: Served, needs: Callable[[bool, str], None]) -> Iterator[Prometheus]:
    needs(shutil.which("prometheus") is not None, "Prometheus is not installed (Debian: prometheus).")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    running = Prometheus(folder, console)
    yield running
    running.stop()


def test_a_database_that_hangs_is_seen_and_blinds_nobody(
    cluster: Cluster, console: Served, prometheus: Prometheus
) -> None:
    token = console.mint_for("OWNER")
    call_tool(console, token, "list_clients")
    eventually(lambda: prometheus.values("hoursmith_database_up") == [1.0])
    assert "HoursmithDatabaseDown" not in prometheus.alerts()
    with cluster.frozen():
        eventually(lambda: prometheus.values("hoursmith_database_up") == [0.0], 30)
        eventually(lambda: "HoursmithDatabaseDown" in prometheus.alerts())
        # Several more requests of monitoring were answered while it hung, and every one in time.
        eventually(lambda: prometheus.values("sum_over_time((hoursmith_database_up == bool 0)[30s:2s])") >= [4.0])
        assert prometheus.values("min_over_time(up[1m])") == [1.0]
        assert prometheus.values('hoursmith_tool_calls_total{tool="list_clients"}') == [1.0]
        assert "HoursmithNodeDown" not in prometheus.alerts()
    eventually(lambda: prometheus.values("hoursmith_database_up") == [1.0], 30)
    eventually(lambda: "HoursmithDatabaseDown" not in prometheus.alerts())
    console.kill()
    eventually(lambda: "HoursmithNodeDown" in prometheus.alerts())
