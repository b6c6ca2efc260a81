"""Two nodes, one database, a balancer: each line between them is cut once without a word, and the promises hold."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from tests.databases import as_default
from tests.faults.conftest import prefix_of
from tests.faults.many_machines.conftest import NODES, Site
from tests.faults.upstream import Gate, new_token
from tests.secret_markers import Canaries

INTENT, SUCCEEDED = ("intent", ""), ("outcome", "succeeded")


@pytest.fixture(autouse=True)
def _unblocked(django_db_blocker: DjangoDbBlocker) -> Any:
    with django_db_blocker.unblock():
        yield


def block(site: Site, token: str) -> Any:
    """Block the token as the console does, on whichever node."""
    with site.machines.inside("database"), as_default(site.cluster.url("console")):
        return block_token(env="live", prefix=prefix_of(token), org_id="org-1", actor="Ana", reason="leaked")


def unblock(site: Site, made: Any) -> None:
    with site.machines.inside("database"), as_default(site.cluster.url("console")):
        unblock_token(block=made, actor="Ana")


def test_the_balancer_uses_both_nodes_and_what_one_is_told_both_obey(site: Site) -> None:
    token, seen = site.hoursmith.mint(), set()

    def both() -> bool:
        seen.add(site.call("balancer", token, "list_clients").headers["x-served-by"])
        return seen == set(NODES)

    site.eventually(both)
    assert all(site.destroys(node, token) for node in NODES)
    made = block(site, token)
    for node in NODES:
        site.eventually(lambda node=node: site.call(node, token, "list_clients").status == 401)
    unblock(site, made)
    for node in NODES:
        site.eventually(lambda node=node: site.reads(node, token))
    # Revoked at Hoursmith: the very next call is refused by either, although both still remember who it was.
    del site.hoursmith.tokens[token]
    assert [site.call(node, token, "list_clients").status for node in NODES] == [401, 401]
    # Hoursmith itself said so, which makes these calls of the activity.
    site.answered[prefix_of(token)] += 2


def test_a_node_without_the_database_reads_on_destroys_nothing_and_comes_back_by_itself(site: Site) -> None:
    token, leaked = site.hoursmith.mint(), site.hoursmith.mint()
    assert all(site.reads(node, each) for node in NODES for each in (token, leaked))
    with site.machines.cut("a", "database", forgets=True):
        assert not site.destroys("a", token)
        assert all(site.reads("a", token) for _ in range(10))
        block(site, leaked)
        site.eventually(lambda: site.call("b", leaked, "list_clients").status == 401)
        # Once the balancer knows, everybody is served by the other node, deletions and all.
        site.eventually(lambda: not site.is_ready("a"))
        site.eventually(lambda: all(site.destroys("balancer", token) for _ in range(4)))
        with site.machines.cut("b", "database"):
            site.eventually(lambda: not site.is_ready("b"))
            assert not site.destroys("b", token)
            assert not site.destroys("balancer", token)
            assert all(site.reads("balancer", token) for _ in range(10))
    # Nobody told it of the block while the line was cut, nor that its connections are gone; it asks anew by itself.
    site.eventually(lambda: site.call("a", leaked, "list_clients").status == 401)
    for node in NODES:
        site.eventually(lambda node=node: site.is_ready(node))
        site.eventually(lambda node=node: site.destroys(node, token))


def test_an_outcome_waits_for_the_database_and_holds_up_no_other_node(site: Site) -> None:
    token, gate = site.hoursmith.mint(), Gate(site.hoursmith)
    assert all(site.reads(node, token) for node in NODES)
    record_id = site.hoursmith.record_for("delete_client")
    with ThreadPoolExecutor(1) as pool, site.hoursmith.failing("DELETE", gate):
        under_way = pool.submit(site.call, "b", token, "delete_client", {"id": record_id})
        assert gate.arrived.wait(20)
        with site.machines.cut("b", "database"):
            gate.may_answer.set()
            answer = under_way.result(timeout=30)
            assert (answer.result["isError"], site.record_of(record_id)) == (False, [INTENT])
            site.eventually(lambda: site.destroys("a", token))
    site.eventually(lambda: site.record_of(record_id) == [INTENT, SUCCEEDED])
    site.eventually(lambda: site.is_ready("b"))
    assert site.sent(record_id) == 1


def test_no_new_call_fails_and_none_is_sent_twice_while_the_balancer_cannot_reach_a_node(site: Site) -> None:
    token, gate = site.hoursmith.mint(), Gate(site.hoursmith)
    assert all(site.reads(node, token) for node in NODES)
    caught = site.hoursmith.record_for("delete_client")
    with ThreadPoolExecutor(1) as pool, site.hoursmith.failing("DELETE", gate):
        under_way = pool.submit(site.call, "balancer", token, "delete_client", {"id": caught})
        assert gate.arrived.wait(20)
        with site.machines.cut("balancer", site.node_that_asked_for(caught)):
            gate.may_answer.set()
            # Whoever comes now is served by the other node.
            assert all(site.destroys("balancer", token) for _ in range(4))
            site.eventually(lambda: site.record_of(caught) == [INTENT, SUCCEEDED])
            # The caller of the node that vanished is told so, long before anybody's patience ends.
            assert under_way.result(timeout=40).status == 502
    assert site.sent(caught) == 1
    site.answered[prefix_of(token)] += 1


def test_a_node_that_cannot_reach_hoursmith_says_so_and_the_record_tells_what_was_tried(site: Site) -> None:
    token = site.hoursmith.mint()
    assert all(site.reads(node, token) for node in NODES)
    record_id = site.hoursmith.record_for("delete_client")
    with site.machines.cut("a", "hoursmith"), ThreadPoolExecutor(1) as pool:
        destroying = pool.submit(site.call, "a", token, "delete_client", {"id": record_id})
        # 504 over a connection that was there; 502 where none comes about, and so nothing was sent.
        assert site.call("a", token, "list_clients").error["status"] in (502, 504)
        assert destroying.result(timeout=30).error["status"] in (502, 504)
        site.eventually(lambda: not site.is_ready("a"))
        site.eventually(lambda: all(site.destroys("balancer", token) for _ in range(4)))
    assert (site.record_of(record_id), site.sent(record_id)) == ([INTENT, ("outcome", "failed")], 0)
    site.eventually(lambda: site.destroys("a", token))


@pytest.fixture(scope="module", autouse=True)
def _whole_at_the_end(site: Site, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Whatever the tests of this file did, and in whichever order: the record is whole behind them."""
    yield
    with django_db_blocker.unblock():
        check_record(site)


def test_the_record_is_whole_nothing_is_missing_and_no_secret_is_left_anywhere(site: Site) -> None:
    check_record(site)


def check_record(site: Site) -> None:
    # Its own token: the others may be blocked or revoked, and there are none yet where this comes first.
    own = site.hoursmith.mint()
    tokens = [*site.hoursmith.tokens, new_token()]
    assert all(site.destroys(node, own) for node in NODES)
    assert site.call("balancer", tokens[-1], "list_clients").status == 401
    with site.machines.inside("database"), as_default(site.cluster.url("console")):
        verdict = verify_stored()
    assert verdict.is_ok, verdict.first_bad
    assert verdict.rows >= 2 * len(NODES)
    record = site.rows("auditevent", "WHERE kind = 'destructive'")
    meant = {row["target_id"]: row["call_id"] for row in record if row["phase"] == "intent"}
    done = {row["call_id"] for row in record if row["phase"] == "outcome"}
    carried_out = [seen.path.rsplit("/", 1)[1] for seen in site.hoursmith.changes]
    assert carried_out
    assert len(carried_out) == len(set(carried_out))
    assert set(carried_out) <= set(meant)
    assert {row["call_id"] for row in record} == done == set(meant.values())

    def lost() -> int:
        lines = [line for node in NODES for line in site.page(node, "metrics").splitlines()]
        return int(sum(float(line.split()[1]) for line in lines if line.startswith("hoursmith_activity_lost_total ")))

    def kept() -> Counter[str]:
        return Counter(row["prefix"] for row in site.rows("toolcall"))

    site.eventually(lambda: kept().total() + lost() >= site.answered.total())
    assert lost() or kept() == site.answered
    leaves_no_trace(site, tokens)


def leaves_no_trace(site: Site, tokens: list[str]) -> None:
    """No piece of a secret lies in the database, nor in any file of a node, the balancer or the database's log."""
    canaries = Canaries()
    for token in tokens:
        canaries.token(token, token)
    tables = (
        "toolcall",
        "auditevent",
        "observedtoken",
        "observedclient",
        "rejectedcredential",
        "tokenblock",
        "signinghead",
    )
    contents = [str(site.rows(table)).encode() for table in tables]
    contents += [path.read_bytes() for path in site.folder.rglob("*") if path.is_file()]
    contents.append(site.cluster.log())
    assert sum(map(len, contents)) > 100_000
    assert set().union(*map(canaries.traces, contents)) == set()
