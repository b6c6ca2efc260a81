"""The official conformance suite against the bridge's own entry point, under both protocol revisions.

What a tools-only server has to do is never excused; `expected_failures.yaml` lists what this one does not offer.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.conftest import UNLIMITED
from tests.interop.node import CONFORMANCE, Node
from tests.interop.proxy import authorizing_proxy
from tests.servers import served_console

REVISIONS = ("2025-11-25", "2026-07-28")
EXPECTED_FAILURES = Path(__file__).with_name("expected_failures.yaml")
REQUIRED_OF_TOOLS = {
    "server-initialize",
    "ping",
    "server-stateless",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "dns-rebinding-protection",
    "server-sse-multiple-streams",
}
# The suite runs these and keeps their verdict out of its own, since it is younger than they are or they are pending.
UNSCORED = {
    "2025-11-25": ("server-session-lifecycle", "json-schema-2020-12"),
    "2026-07-28": ("http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the suite."""

    exit_code: int
    printed: str
    checks: dict[str, list[dict[str, Any]]]

    def failed(self, scenario: str) -> list[str]:
        """The checks that did not pass. What the suite only warns of counts, as it does in its own baseline."""
        return [check["id"] for check in self.checks[scenario] if check["status"] in ("FAILURE", "WARNING")]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The product's entry point with the suite's tools, behind the proxy that brings the token."""
    environment = {**UNLIMITED, "DJANGO_SETTINGS_MODULE": "tests.interop.conformance_settings"}
    with (
        served_console(tmp_path_factory.mktemp("conformance"), env=environment) as served,
        authorizing_proxy(served.mcp_url, served.mint_for("OWNER")) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def reports(endpoint: str, node: Node, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return {revision: _run(node, endpoint, revision, tmp_path_factory.mktemp("suite")) for revision in REVISIONS}


def _run(node: Node, url: str, revision: str, folder: Path) -> Report:
    done = node.run(
        CONFORMANCE,
        *("server", "--url", url, "--requirements", revision),
        *("--expected-failures", str(EXPECTED_FAILURES), "--output-dir", str(folder)),
        home=folder,
    )
    # Folders are named server-<scenario>-<instant>.
    checks = {
        re.sub(r"^server-(.+?)-\d{4}-\d\d-\d\dT.*$", r"\1", path.parent.name): json.loads(path.read_text("utf-8"))
        for path in folder.glob("*/checks.json")
    }
    return Report(done.returncode, done.stdout + done.stderr, checks)


def _expected_failures() -> list[str]:
    return list(yaml.safe_load(EXPECTED_FAILURES.read_text("utf-8"))["server"])


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_suite_finds_nothing_unexpected(reports: dict[str, Report], revision: str) -> None:
    report = reports[revision]

    assert report.exit_code == 0, report.printed
    assert len(report.checks) > 30, "the suite ran too few scenarios to mean anything"


@pytest.mark.parametrize("revision", REVISIONS)
def test_scenarios_that_the_suite_does_not_score_pass_too(reports: dict[str, Report], revision: str) -> None:
    assert {scenario: reports[revision].failed(scenario) for scenario in UNSCORED[revision]} == {
        scenario: [] for scenario in UNSCORED[revision]
    }


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_message_keeps_to_the_schema_of_the_specification(reports: dict[str, Report], revision: str) -> None:
    report = reports[revision]

    assert [name for name in report.checks if "wire-schema-valid" in report.failed(name)] == []


@pytest.mark.parametrize("scenario", sorted(REQUIRED_OF_TOOLS))
def test_what_a_tools_server_must_do_passes_in_full(reports: dict[str, Report], scenario: str) -> None:
    ran = [report for report in reports.values() if scenario in report.checks]

    assert ran
    assert [report.failed(scenario) for report in ran] == [[]] * len(ran)


def test_the_one_list_there_is_can_be_cached(reports: dict[str, Report]) -> None:
    checks = {check["id"]: check["status"] for check in reports["2026-07-28"].checks["caching"]}

    assert checks["sep-2549-tools-list-caching-hints"] == "SUCCESS"
    assert checks["sep-2549-ttl-non-negative"] == "SUCCESS"
    assert checks["sep-2549-cache-scope-valid"] == "SUCCESS"


def test_every_expected_failure_has_its_reason_and_does_fail(reports: dict[str, Report]) -> None:
    lines = [line for line in EXPECTED_FAILURES.read_text("utf-8").splitlines() if line.startswith("  - ")]
    failures = set()
    for report in reports.values():
        for scenario in report.checks:
            failed = report.failed(scenario)
            failures |= {f"{scenario}:{check}" for check in failed} | ({scenario} if failed else set())

    assert [line for line in lines if not re.search(r"  # .{20,}\.$", line)] == []
    assert [entry for entry in _expected_failures() if entry not in failures] == []


def test_nothing_that_a_tools_server_must_do_is_excused() -> None:
    excused = {entry.split(":")[0] for entry in _expected_failures()}

    assert excused & (REQUIRED_OF_TOOLS | set(UNSCORED["2025-11-25"]) | set(UNSCORED["2026-07-28"])) == set()
    assert "caching" not in _expected_failures()
