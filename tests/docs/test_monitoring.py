"""The rules and the dashboard of docs/monitoring are valid and ask for what exists; the rules cover the table."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from hoursmith_console.ops import metrics as of_database
from mcpbridge.observability import metrics as of_processes
from tests.docs.test_security_page import rows
from tests.paths import ROOT

FOLDER = ROOT / "docs/monitoring"
RULES = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
BOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
TABLE = (ROOT / "docs/operating.md").read_text(encoding="utf-8").partition("## Health, metrics, alerts")[2]
_NAME = re.compile(r"\bhoursmith_\w+")


def existing() -> set[str]:
    assert of_processes.audit_waiting
    made = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    declared = {family.name + ending for family in REGISTRY.collect() for ending in ("", "_total", "_bucket", "_count")}
    return {name for name in made | declared if name.startswith("hoursmith_")} | set(of_database.HELP)


def expressions() -> Iterator[str]:
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


@pytest.fixture
def promtool(needs: Callable[[bool, str], None]) -> str:
    found = shutil.which("promtool")
    needs(found is not None, "promtool is not installed (Debian: prometheus).")
    assert found
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_rules_and_the_configuration(promtool: str) -> None:
    run(promtool, "check", "config", "--lint=all", "--lint-fatal", str(FOLDER / "prometheus.yml"))


def test_prometheus_reads_every_expression_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    # Grafana fills its own variables in.
    filled = [each.replace("$__rate_interval", "1m").replace("$instance", ".*") for each in expressions()]
    groups = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(filled)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": groups}]}), "utf-8")
    assert len(groups) > 15
    run(promtool, "check", "rules", str(tmp_path / "rules.yml"))


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    asked = set(_NAME.findall(RULES)) | set(_NAME.findall(" ".join(expressions())))
    assert asked - existing() == set()


def test_every_metric_to_watch_has_a_rule_or_a_panel() -> None:
    wanted = {name for row in rows(TABLE) if len(row) == 3 and row[1] for name in _NAME.findall(row[0])}
    assert len(wanted) > 15
    shown = set(_NAME.findall(RULES))
    assert {name for name in wanted if not any(each.startswith(name) for each in shown)} == set()


def test_every_rule_says_what_to_do() -> None:
    rules = RULES.split("- alert:")[1:]
    assert len(rules) > 15
    for rule in rules:
        assert {"severity:", "summary:", "action:"} <= set(re.findall(r"\w+:", rule)), rule
