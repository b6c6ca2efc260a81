"""A whole site: a database, two nodes, a balancer and Hoursmith, each on a machine of its own, and everybody else."""

import os
import secrets
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from psycopg.rows import dict_row

from tests.balancer import balancer as haproxy
from tests.certificates import self_signed
from tests.faults.many_machines.machines import NETWORK, Machines, why_not
from tests.faults.mcp import Answer, call_tool
from tests.faults.upstream import BASE, Hoursmith, serving
from tests.paths import ROOT
from tests.postgres import Cluster, own_cluster, prepared_files
from tests.prepared import EMPTY
from tests.servers import Served
from tests.waiting import eventually

CABLES = (
    ("outside", "balancer"),
    ("balancer", "a"),
    ("balancer", "b"),
    ("a", "database"),
    ("b", "database"),
    ("a", "hoursmith"),
    ("b", "hoursmith"),
)
NODES = ("a", "b")
_PORT = 8000


@dataclass
class Reached(Served):
    """A console as it is reached from another machine."""

    address: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}:{_PORT}"


@dataclass
class Site:
    """The running site. `answered` counts the calls that the bridge answered, by their token's prefix."""

    machines: Machines
    cluster: Cluster
    hoursmith: Hoursmith
    nodes: dict[str, Served]
    balancer: Reached
    folder: Path
    answered: Counter[str] = field(default_factory=Counter)

    def call(self, at: str, token: str, tool: str, arguments: dict[str, Any] | None = None) -> Answer:
        """Call a tool from outside, through the `balancer`; or on the node `at` itself."""
        where, served = ("outside", self.balancer) if at == "balancer" else (at, self.nodes[at])
        with self.machines.inside(where):
            answer = call_tool(served, token, tool, arguments)
        if answer.status == 200:
            self.answered[token.split("_")[2]] += 1
        return answer

    def destroys(self, at: str, token: str) -> bool:
        """Whether a client could be deleted at `at`; where not, nothing was sent, and the answer says why."""
        record_id = self.hoursmith.record_for("delete_client")
        answer = self.call(at, token, "delete_client", {"id": record_id})
        if answer.status == 200 and not answer.result["isError"]:
            assert self.sent(record_id) == 1
            return True
        if answer.status == 200:
            # The second until the balancer, too, has noticed that the node cannot reach Hoursmith.
            reasons = {(503, "audit_unavailable"), (502, "upstream_unreachable")}
            assert (answer.error["status"], answer.error["code"]) in reasons
        assert self.sent(record_id) == 0
        return False

    def reads(self, at: str, token: str) -> bool:
        answer = self.call(at, token, "list_clients")
        return answer.status == 200 and not answer.result["isError"]

    def sent(self, record_id: str) -> int:
        """How many requests to destroy the record reached Hoursmith."""
        return len([seen for seen in self.hoursmith.changes if record_id in seen.path])

    def node_that_asked_for(self, record_id: str) -> str:
        """The node that asked Hoursmith for the record."""
        (address,) = {seen.address for seen in self.hoursmith.seen if record_id in seen.path}
        return next(node for node in NODES if self.machines.address(node, seen_from="hoursmith") == address)

    def is_ready(self, node: str) -> bool:
        """Whether `/readyz` of the node says so."""
        return self._status(node, "readyz") == 200

    def _status(self, node: str, path: str) -> int:
        try:
            return len(self.page(node, path)) and 200
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def page(self, node: str, path: str) -> str:
        """The text at an address of the node, asked on that machine."""
        with self.machines.inside(node), urllib.request.urlopen(f"{self.nodes[node].url}/{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def rows(self, table: str, where: str = "", *parameters: Any) -> list[dict[str, Any]]:
        """Rows of `table`, read on the database's machine."""
        with (
            self.machines.inside("database"),
            psycopg.connect(self.cluster.url("console"), row_factory=dict_row) as connection,
        ):
            return connection.execute(f"SELECT * FROM mcpbridge_{table} {where}", parameters).fetchall()

    def record_of(self, record_id: str) -> list[tuple[str, str]]:
        """Phase and result of the audit rows about a record of Hoursmith's."""
        found = self.rows("auditevent", "WHERE target_id = %s ORDER BY sequence", record_id)
        return [(row["phase"], row["result"]) for row in found]

    def eventually(self, check: Callable[[], bool], seconds: float = 45) -> None:
        eventually(check, seconds, told=lambda: "\n".join(node.output()[-3000:] for node in self.nodes.values()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]) -> Iterator[Site]:
    needs(shutil.which("ip") is not None, "The program ip is not installed (Debian: iproute2).")
    needs(shutil.which("haproxy") is not None, "HAProxy is not installed (Debian: haproxy).")
    if reason := why_not():
        # Nothing that could be installed would change that.
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("site")
    # Out here: what prepares them is not on the database's machine.
    files = prepared_files(needs)
    with ExitStack() as stack:
        machines = Machines()
        stack.callback(machines.close)
        for machine in sorted({end for cable in CABLES for end in cable}):
            machines.add(machine)
        for cable in CABLES:
            machines.connect(*cable)
        authority = self_signed(folder, [machines.address("hoursmith", seen_from=node) for node in NODES])
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(authority)
        with machines.inside("hoursmith"):
            hoursmith = stack.enter_context(serving(tls))
        with machines.inside("database"):
            cluster = own_cluster(needs, files=files, network=NETWORK)
            stack.callback(cluster.discard)
            cluster.create_database("console", template=EMPTY)
        shared = {"SECRET_KEY": secrets.token_urlsafe(48), "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY}
        nodes = {node: _node(machines, node, folder / node, cluster, hoursmith, authority, shared) for node in NODES}
        stack.callback(_stop, nodes)
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(lambda node: _start(machines, node, nodes[node]), NODES))
        balancer = Reached(folder, _PORT, {}, 1, address=machines.address("balancer", seen_from="outside"))
        site = Site(machines, cluster, hoursmith, nodes, balancer, folder)
        with machines.inside("balancer"):
            addresses = {node: f"{machines.address(node, seen_from='balancer')}:{_PORT}" for node in NODES}
            stack.enter_context(haproxy(folder, at=f"{balancer.address}:{_PORT}", nodes=addresses))
        site.eventually(lambda: all(map(site.is_ready, NODES)))
        site.eventually(lambda: _takes_connections(site))
        yield site


def _node(
    machines: Machines,
    node: str,
    folder: Path,
    cluster: Cluster,
    hoursmith: Hoursmith,
    authority: Path,
    env: dict[str, str],
) -> Served:
    """A console on the machine `node` with a folder of its own, not started yet."""
    folder.mkdir()
    database = cluster.url("console", host=machines.address("database", seen_from=node))
    upstream = machines.address("hoursmith", seen_from=node)
    environment = {
        **os.environ,
        **env,
        "DJANGO_SETTINGS_MODULE": "tests.served_settings",
        "PYTHONPATH": str(ROOT),
        "VAR_DIR": str(folder),
        "HOST": "0.0.0.0",
        "PORT": str(_PORT),
        "WEB_CONCURRENCY": "1",
        "ALLOWED_HOSTS": "*",
        "TRUSTED_PROXIES": NETWORK,
        "DATABASE_URL": database,
        "HOURSMITH_API_URL": f"https://{upstream}:{hoursmith.port}{BASE}",
        "SSL_CERT_FILE": str(authority),
        "UPSTREAM_TIMEOUT_S": "3",
        "AUDIT_WRITE_TIMEOUT_MS": "1500",
        "LOG_LEVEL": "DEBUG",
    }
    # Its network is that of the thread that starts it.
    return Served(folder, _PORT, environment, 1, may_fork=False)


def _start(machines: Machines, node: str, served: Served) -> None:
    with machines.inside(node):
        served.start()


def _takes_connections(site: Site) -> bool:
    with site.machines.inside("outside"), suppress(OSError):
        socket.create_connection((site.balancer.address, _PORT), timeout=5).close()
        return True
    return False


def _stop(nodes: dict[str, Served]) -> None:
    started = [served for served in nodes.values() if served.process is not None]
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(Served.stop, started))
