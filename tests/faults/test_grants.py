"""Assistants that signed in, on two nodes with one PostgreSQL: codes count once, ended grants are refused on both."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.mcp import Answer, call_tool
from tests.mcpbridge.grants.on_served import ask, code_for, redeem, renew, signed_in
from tests.postgres import Cluster, shared_cluster
from tests.servers import Served, beside, served_console
from tests.waiting import eventually

# The address that users know, behind which both nodes are.
PUBLIC_URL = "http://127.0.0.1:8123"
WITHIN_S = 3.0
_GRANT = "import json; from mcpbridge.models import EndReason, Grant; row = Grant.objects.get(pk={!r});"


@dataclass
class Nodes:
    """Two nodes with one database and one key."""

    cluster: Cluster
    a: Served
    b: Served
    token: str

    def code(self) -> tuple[str, str]:
        """A new grant's id and its code."""
        return code_for(self.a, self.token)

    def signed_in(self) -> tuple[str, dict[str, Any]]:
        """A new grant's id, and the tokens of its assistant."""
        return signed_in(self.a, self.token)

    def ended(self, grant: str) -> str:
        """Why the grant ended."""
        found: str = self.a.shell(f"{_GRANT.format(grant)} print(json.dumps(row.ended_why))")
        return found


def refusal(node: Served, token: str) -> Answer:
    """The answer that refuses the token, which comes with the next request once the node was notified."""
    answers: list[Answer] = []

    def is_refused() -> bool:
        answers.append(call_tool(node, token, "get_me"))
        return answers[-1].status == 401

    eventually(is_refused, WITHIN_S)
    return answers[-1]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]) -> Iterator[Nodes]:
    folder, cluster = tmp_path_factory.mktemp("nodes"), shared_cluster(needs)
    env = {"SANDBOX_RATE_LIMITS": "off", "PUBLIC_URL": PUBLIC_URL}
    url = cluster.create_database("signed_in")
    with served_console(folder / "a", env=env, database_url=url) as a, beside(a, folder / "b") as b:
        yield Nodes(cluster, a, b, a.mint_for("OWNER"))


def test_a_code_that_is_used_on_both_nodes_at_once_counts_once(nodes: Nodes) -> None:
    for _ in range(5):
        grant, code = nodes.code()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda node, code=code: redeem(node, code), [nodes.a, nodes.b, nodes.a, nodes.b]))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
        assert {answer.json().get("error") for answer in answers} == {None, "invalid_grant"}
        assert nodes.ended(grant) == "code_reused"


def test_a_burst_of_refreshes_on_both_nodes_keeps_the_grant(nodes: Nodes) -> None:
    grant, tokens = nodes.signed_in()
    nodes.a.shell(
        f"from datetime import timedelta; from django.utils import timezone; {_GRANT.format(grant)}"
        "row.rotated_at = timezone.now() - timedelta(minutes=10); row.save(); print(json.dumps(1))"
    )
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda node: renew(node, tokens["refresh_token"]), [nodes.a, nodes.b] * 3))
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert call_tool(nodes.b, answer.json()["access_token"], "get_me").status == 200
    assert nodes.ended(grant) == ""


@pytest.mark.parametrize("how", ["revoke", "member", "reuse"])
def test_a_grant_that_ended_on_one_node_is_refused_on_the_other(nodes: Nodes, how: str) -> None:
    grant, tokens = nodes.signed_in()
    other, token = nodes.signed_in()[1]["access_token"], tokens["access_token"]
    assert call_tool(nodes.a, token, "get_me").status == call_tool(nodes.b, token, "get_me").status == 200
    if how == "revoke":
        assert ask(nodes.a, "/revoke", token=tokens["refresh_token"]).status_code == 200
    elif how == "member":
        nodes.a.shell(
            f"from mcpbridge.grants.ending import end_grant; {_GRANT.format(grant)}"
            "print(json.dumps(end_grant(grant=row, why=EndReason.MEMBER, actor='Ana')))"
        )
    else:
        nodes.a.shell(f"{_GRANT.format(grant)} row.generation = 5; row.save(); print(json.dumps(1))")
        assert renew(nodes.a, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    for node in (nodes.a, nodes.b):
        refused = refusal(node, token)
        assert refused.body["error"]["data"]["fault"] == "grant_ended"
        assert renew(node, tokens["refresh_token"]).json()["error"] == "invalid_grant"
        # Of the same token, but another grant.
        assert call_tool(node, other, "get_me").status == 200


def test_without_the_database_nothing_ends_and_what_ended_stays_so(nodes: Nodes) -> None:
    over, tokens = nodes.signed_in()
    live = nodes.signed_in()[1]
    assert ask(nodes.b, "/revoke", token=tokens["access_token"]).status_code == 200
    refusal(nodes.a, tokens["access_token"])
    _, code = nodes.code()
    nodes.cluster.stop()
    try:
        assert call_tool(nodes.a, tokens["access_token"], "get_me").status == 401
        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(renew, nodes.a, live["refresh_token"]), pool.submit(redeem, nodes.a, code)]
            answers = [each.result() for each in asking]
    finally:
        nodes.cluster.start()
    assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(503, "temporarily_unavailable")}
    eventually(lambda: renew(nodes.a, live["refresh_token"]).status_code == 200)
    assert redeem(nodes.a, code).status_code == 200
    assert nodes.ended(over) == "assistant"
