"""A PostgreSQL that is restored from a backup under a console: nothing is silently dropped, old is told from new."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.faults.mcp import call_tool
from tests.hoursmith_console.connections.test_served import sign_in
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver
from tests.postgres import Cluster, shared_cluster
from tests.servers import Served, served_console

REASON = "restored the backup of 11:00"
DESTINATION = """
from mcpbridge.audit.destinations.services import create_destination
from mcpbridge.models import AuditEvent
org_id = AuditEvent.objects.values_list("org_id", flat=True).order_by("sequence").first()
create_destination(org_id=org_id, name="SIEM", kind="webhook", format="json", address="{url}",
                   from_first_row=True, actor="Ana")
print('"' + org_id + '"')
"""
LOG = "SELECT epoch, sequence, hash, tool, note FROM mcpbridge_auditevent WHERE org_id = %s ORDER BY sequence"
SIGNED = "SELECT coalesce(max(sequence), 0) FROM mcpbridge_signinghead WHERE org_id = %s"
WAIT_S = 30


def until(held: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not held():
        assert time.monotonic() < end, f"{what}, not within {WAIT_S} s"
        time.sleep(0.1)


class Receiver:
    """What a receiver that follows the manual has: entries by workspace, epoch and sequence, the first of each."""

    def __init__(self, http: HttpReceiver) -> None:
        self._http = http

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [record for request in list(self._http.acked) for record in request.records]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    def entries(self) -> dict[tuple[int, int], str]:
        found: dict[tuple[int, int], str] = {}
        for line in self.of("event"):
            assert found.setdefault((line["epoch"], line["sequence"]), line["hash"]) == line["hash"]
        return found


def destroy(served: Served, token: str) -> Any:
    """Make a client and delete it; the answer to that."""
    made = call_tool(served, token, "create_client", {"name": "Soylent", "currency": "EUR"}).result
    record = made["structuredContent"]["data"]["id"]
    return call_tool(served, token, "delete_client", {"id": record})


@pytest.fixture
def cluster(needs: Callable[[bool, str], None]) -> Cluster:
    return shared_cluster(needs)


def test_a_restored_database_is_accepted_by_an_operator_and_told_to_receivers(cluster: Cluster, tmp_path: Path) -> None:
    env = {"SANDBOX_RATE_LIMITS": "off", "LOG_DESTINATION_PRIVATE_NETWORKS": "127.0.0.0/8"}
    url = cluster.create_database("restored")
    with HttpReceiver() as http, served_console(tmp_path / "var", env=env, database_url=url) as served:
        receiver, token = Receiver(http), served.mint_for("OWNER")
        assert destroy(served, token).result["isError"] is False
        org_id = served.shell(DESTINATION.format(url=http.url))

        def log() -> list[tuple[Any, ...]]:
            with psycopg.connect(url) as connection:
                return connection.execute(LOG, [org_id]).fetchall()

        def has_all() -> bool:
            return set(receiver.entries()) >= {(epoch, sequence) for epoch, sequence, *_ in log()}

        def is_signed() -> bool:
            with psycopg.connect(url) as connection:
                (sequence,) = connection.execute(SIGNED, [org_id]).fetchone() or (0,)
            return bool(sequence == len(log()))

        until(lambda: has_all() and is_signed(), "delivered and signed")
        dump = cluster.dump("restored")
        kept = len(log())
        # What the backup does not have: a deletion that the receiver and the anchor of this node have.
        assert destroy(served, token).result["isError"] is False
        until(has_all, "delivered")
        lost = {place: hash for place, hash in receiver.entries().items() if place[1] > kept}
        assert {epoch for epoch, _ in lost} == {1}
        served.dismiss_manager()
        served.stop()
        cluster.restore("restored", dump)
        served.start()

        # Until an operator has spoken: no deletion, an alarm, a page that says so; reads go on.
        until(lambda: bool(receiver.of("alarm")), "an alarm")
        assert receiver.of("alarm")[0]["kind"] == "behind"
        refused = destroy(served, token)
        assert (refused.error["code"], refused.error["status"]) == ("audit_behind", 503)
        with_page = _pages(served)
        assert "The end of the audit log is missing in the database" in with_page["/audit/"]
        assert "The end of the audit log is missing in the database" in with_page["/"]
        assert receiver.of("restore") == []

        said = served.manage("audit_accept_restore", "--reason", REASON)
        assert f"{org_id}: epoch 2 begins after row {kept}" in said
        until(lambda: destroy(served, token).result["isError"] is False, "deletions again")
        until(lambda: bool(receiver.of("restore")) and has_all(), "delivered")
        (restore,) = receiver.of("restore")
        assert (restore["kept"]["sequence"], restore["reason"]) == (kept, REASON)
        assert restore["from"]["sequence"] == max(sequence for _, sequence in lost)
        # The receiver has what was lost and what took over, and tells them apart.
        entries = receiver.entries()
        assert lost.items() <= entries.items()
        new = {(epoch, sequence): hash for epoch, sequence, hash, *_ in log() if sequence > kept}
        assert new.items() <= entries.items()
        assert {epoch for epoch, _ in new} == {2}
        assert {sequence for _, sequence in lost} & {sequence for _, sequence in new}
        assert [(tool, note) for *_, tool, note in log() if note == REASON] == [("console.audit_restore", REASON)]
        assert "Destructive tools are refused" not in _pages(served)["/"]
        assert served.manage("audit_verify", "--workspace", org_id)


def _pages(served: Served) -> dict[str, str]:
    with httpx.Client(base_url=served.url, follow_redirects=True, timeout=30, headers={"Referer": served.url}) as page:
        owner = served.person("OWNER")
        sign_in(page, owner["email"], owner["password"])
        return {address: page.get(address).text for address in ("/", "/audit/")}
