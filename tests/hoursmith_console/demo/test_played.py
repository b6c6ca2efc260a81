"""The demo, played: real calls over two weeks, a chain that verifies, no token left, and nothing in the future."""

from pathlib import Path
from typing import Any

import pytest

from tests.servers import served_console

LOOK = """
import json
from django.utils import timezone
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.restore.models import Restore
from hoursmith_console.rotations.models import Rotation
from mcpbridge.models import AuditEvent, ObservedClient, ObservedToken, RejectedCredential, ToolCall
calls, entries = ToolCall.objects.all(), AuditEvent.objects.order_by("sequence")
print(json.dumps({
    "calls": calls.count(),
    "days": len({call.at.date() for call in calls}),
    "future": calls.filter(at__gt=timezone.now()).count() + entries.filter(recorded_at__gt=timezone.now()).count(),
    "assistants": sorted(set(ObservedClient.objects.values_list("name", flat=True))),
    "destroyed": sorted(set(entries.filter(phase="outcome", result="succeeded").values_list("tool", flat=True))),
    "codes": sorted(set(calls.exclude(code="").values_list("code", flat=True))),
    "oldest": (timezone.now() - ObservedToken.objects.order_by("first_used_at").first().first_used_at).days,
    "rejected": sorted(set(RejectedCredential.objects.values_list("fault", flat=True))),
    "leaks": LeakReport.objects.count(),
    "rotations": sorted(Rotation.objects.values_list("kind", "outcome")),
    "campaigns": Campaign.objects.count(),
    "restored": sorted(Restore.objects.values_list("result", flat=True)),
    "in_order": all(a.recorded_at <= b.recorded_at for a, b in zip(entries, entries[1:])),
}))
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is there after the demo, whose server was not started."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with served_console(folder, start=False) as console:
        said = console.manage("play_demo", "--brief")
        with pytest.raises(AssertionError, match="--again"):
            console.manage("play_demo", "--brief")
        yield console.shell(LOOK), said, console.manage("audit_verify"), console.manage("scan_secrets")


def test_it_shows_what_assistants_do_and_what_may_happen(played: Any) -> None:
    found, said, *_ = played
    assert "Done" in said
    assert found["calls"] > 80
    assert found["days"] > 8
    assert len(found["assistants"]) >= 8
    assert found["destroyed"] == [
        "archive_project",
        "archive_task",
        "delete_client",
        "delete_expense",
        "delete_time_entry",
    ]
    assert {"conflict", "forbidden_scope", "frozen", "read_only"} <= set(found["codes"])
    assert {"blocked", "rejected"} <= set(found["rejected"])
    assert found["oldest"] >= 119
    assert (found["leaks"], found["campaigns"]) == (1, 1)
    assert ["leaked", "done"] in found["rotations"]
    assert ["planned", "done"] in found["rotations"]
    assert ["planned", ""] in found["rotations"]
    assert found["restored"] == ["succeeded", "succeeded"]


def test_the_times_are_of_the_past_and_the_chain_verifies(played: Any) -> None:
    found, _, verified, _ = played
    assert found["future"] == 0
    assert found["in_order"]
    assert "valid through row" in verified


def test_no_token_is_left(played: Any) -> None:
    swept = played[3]
    assert "No token secrets found" in swept
