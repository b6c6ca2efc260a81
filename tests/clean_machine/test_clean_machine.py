"""A newcomer's and an operator's way on a clean Debian with Python only, by the commands of the manual.

Nothing of the checkout is there but the wheel, requirements.lock and the commands of the manual.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clean_machine.conftest import PIP
from tests.clean_machine.consoles import PASSWORD, PROGRAM, PUBLIC_URL, Newcomer, Production
from tests.clean_machine.machine import Machine
from tests.clean_machine.manual import blocks, document, section, with_values
from tests.hoursmith_console.connections.test_served import connect, sign_in
from tests.interop.clients import python_over_http
from tests.interop.walk import Step
from tests.postgres import shared_cluster
from tests.waiting import eventually
from tests.wheels import NEWER_VERSION, newer_release

# Written by the operator's commands, in the order of the manual.
OPERATORS = ("/etc/hoursmith-console", "/etc/systemd/system", "/usr/local/sbin", "/root", "/backup")
DELETION: tuple[Step, ...] = (
    ("create_client", {"name": "Soylent", "currency": "EUR"}),
    ("delete_client", {"id": "$id:create_client"}),
)


@pytest.fixture(scope="module")
def newcomer(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    made = Newcomer(machine, tmp_path_factory.mktemp("newcomer") / "log")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def production(machine: Machine, newcomer: Newcomer, needs: Callable[[bool, str], None]) -> Production:
    made = Production(machine, newcomer, shared_cluster(needs).create_database("first_start"))
    made.set_up()
    return made


def call(url: str, token: str, *steps: Step, mode: str = "auto") -> list[dict[str, Any]]:
    """What an assistant gets, by the official client, which must be offered all 31 tools."""
    seen = python_over_http(url, token, mode=mode, name="Newcomer's assistant", steps=steps)
    assert len(seen.tools) == 31
    return seen.results


def metric(port: int, name: str) -> float:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    assert answer.status_code == 200
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", answer.text, re.MULTILINE))


def check_files(machine: Machine, *consoles: Newcomer | Production) -> None:
    """Nothing was written outside the data folders, and nothing in them is open to others."""
    assert machine.written(outside=(*OPERATORS, Newcomer.var, Production.var)) == []
    for console in consoles:
        assert machine.open_to_others(console.var) == []


def test_a_newcomer_signs_in_and_connects_an_assistant(machine: Machine, newcomer: Newcomer) -> None:
    with newcomer.browser() as browser:
        assert "Sandbox" in browser.get("/").text
        slug = connect(browser, "claude-code")
        (me,) = call(f"{newcomer.url}/mcp/c/{slug}", newcomer.token, ("get_me", {}))
        assert me["structuredContent"]["data"]["role"] == "OWNER"
        # Calls are written in batches, a moment later.
        eventually(lambda: "Working" in browser.get(f"/connections/{slug}/").text)
    calls = metric(newcomer.port, "hoursmith_tool_calls_total")
    assert calls >= 1
    assert metric(newcomer.port, "hoursmith_database_up") == 1
    check_files(machine, newcomer)


def test_the_first_start_in_production_leads_to_an_admin_and_an_assistant(
    machine: Machine, newcomer: Newcomer, production: Production
) -> None:
    """The fixtures have run every command; what is left happens in a browser and in the assistant."""
    (link,) = re.findall(rf"{PUBLIC_URL}/\S+", production.printed)
    production.accept_invitation(link)
    owner, _ = newcomer.person("OWNER")
    with production.browser() as browser:
        sign_in(browser, owner, PASSWORD)
        assert "Sandbox" not in browser.get("/").text
        slug = connect(browser, "claude-code")
        url = f"http://127.0.0.1:{production.port}/mcp/c/{slug}"
        for mode in ("auto", "legacy"):
            (me,) = call(url, newcomer.token, ("get_me", {}), mode=mode)
            assert me["structuredContent"]["data"]["role"] == "OWNER"
        eventually(lambda: "Working" in browser.get(f"/connections/{slug}/").text)
        assert browser.get("/metrics").status_code == 404
    assert metric(production.port, "hoursmith_database_up") == 1
    check_files(machine, newcomer, production)


def test_an_upgrade_keeps_both_going(
    machine: Machine, newcomer: Newcomer, production: Production, tmp_path: Path
) -> None:
    call(newcomer.mcp, newcomer.token, *DELETION)
    check_files(machine, newcomer, production)
    newcomer.stop()
    machine.put("/root/newer", *newer_release(tmp_path))
    upgrade = blocks(document("upgrading.md").partition("\n## ")[0], "sh")
    machine.run("\n".join(["cd /root/newer", *upgrade]), environment=PIP)
    machine.settle()
    newcomer.start()
    production.wait()
    assert machine.run(f"{PROGRAM} version").strip() == NEWER_VERSION
    for console in (newcomer, production):
        call(f"http://127.0.0.1:{console.port}/mcp", newcomer.token, *DELETION)
    assert "valid through row" in machine.run("console audit_verify")
    assert "valid through row" in newcomer.manage("audit_verify")
    check_files(machine, newcomer, production)


def test_a_backup_is_restored_by_the_manual(machine: Machine, newcomer: Newcomer) -> None:
    backup, restore, look, accept = (
        code.replace("console audit_", f"{PROGRAM} manage audit_")
        for code in blocks(section("Backups and restore"), "sh")
    )
    where = {"VAR_DIR": newcomer.var}
    machine.run("mkdir /backup")
    call(newcomer.mcp, newcomer.token, *DELETION)
    # A backup from before the first signature has no signing key: its restore counts as a change, not as a lost end.
    eventually(lambda: '"type":"checkpoint"' in newcomer.printed)
    machine.run(backup, environment=where)
    assert machine.open_to_others("/backup/console.sqlite3") == []
    # What the backup does not have.
    call(newcomer.mcp, newcomer.token, *DELETION)

    newcomer.stop()
    owner = {"--owner=hoursmith-console --group=hoursmith-console": "--owner=ana --group=ana"}
    machine.run(with_values(restore, owner), environment=where)
    newcomer.start()
    eventually(lambda: metric(newcomer.port, "hoursmith_audit_anchor_fault") > 0)
    *_, refused = call(newcomer.mcp, newcomer.token, *DELETION)
    assert json.loads(refused["content"][0]["text"])["error"]["code"] == "audit_behind"
    assert "hoursmith-console manage audit_accept_restore" in refused["content"][0]["text"]

    found = machine.attempt(look, user=newcomer.user)
    assert (found.code != 0, "BEHIND" in found.out) == (True, True), found
    assert "epoch 2 begins" in machine.run(accept, user=newcomer.user)
    eventually(lambda: not call(newcomer.mcp, newcomer.token, *DELETION)[-1].get("isError"))
    assert "valid through row" in newcomer.manage("audit_verify")
    check_files(machine, newcomer)


def test_the_manual_gives_commands_to_run_as_blocks() -> None:
    """What a test runs; a command within a sentence would go unnoticed."""
    for title in ("First start in production", "Backups and restore"):
        prose = re.sub(r"^ *```.*?^ *```$", "", section(title), flags=re.MULTILINE | re.DOTALL)
        assert re.findall(r"`(?:systemctl|console|install|sqlite3|python3|useradd) [^`]*`", prose) == []
