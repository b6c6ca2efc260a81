"""So many destructive calls of a token pass in an hour, however many workers they come to at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.conftest import Bench, bench
from tests.faults.mcp import call_tool
from tests.faults.upstream import Hoursmith
from tests.postgres import shared_cluster

ROUNDS = 8
LIMIT = 1
AT_ONCE = 6


@pytest.fixture(params=["sqlite", "postgres"])
def limited(
    request: pytest.FixtureRequest, hoursmith: Hoursmith, tmp_path: Path, needs: Callable[[bool, str], None]
) -> Iterator[Bench]:
    url = shared_cluster(needs).create_database("limit") if request.param == "postgres" else None
    # The record may take its time on a busy machine; what is counted is who passes.
    with bench(tmp_path, hoursmith, database_url=url, workers=2, AUDIT_WRITE_TIMEOUT_MS="15000") as running:
        running.served.shell(
            "from mcpbridge.calls.approvals.policy import change_approval_rule\n"
            f"change_approval_rule(org_id='org-1', tools=[], tokens=[], hourly_limit={LIMIT}, answered_in='console',"
            " holds_s=0, lasts_s=900, actor='Ana')\n"
            "print('true')"
        )
        running.served.dismiss_manager()
        # Each worker has heard of it once it asks for approval of what is past the limit.
        known = hoursmith.mint()
        codes = []

        def is_known() -> bool:
            answer = call_tool(running.served, known, "delete_client", {"id": hoursmith.record_for("delete_client")})
            codes.append(answer.result.get("isError", False) and answer.error["code"])
            return codes[-6:] == ["approval_pending"] * 6

        running.eventually(is_known, 60)
        yield running


def test_as_many_as_the_limit_pass_and_not_one_more(limited: Bench, hoursmith: Hoursmith) -> None:
    for _ in range(ROUNDS):
        token = hoursmith.mint()
        # Its identity is known to both workers before the race begins.
        for _ in range(4):
            call_tool(limited.served, token, "list_clients")
        records = [hoursmith.record_for("delete_client") for _ in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = list(
                threads.map(
                    lambda record, token=token: call_tool(limited.served, token, "delete_client", {"id": record}),
                    records,
                )
            )
        codes = sorted(answer.error["code"] if answer.result.get("isError") else "" for answer in answers)
        assert codes == [""] * LIMIT + ["approval_pending"] * (AT_ONCE - LIMIT)
        assert sum(seen.method == "DELETE" and seen.token == token for seen in hoursmith.seen) == LIMIT
