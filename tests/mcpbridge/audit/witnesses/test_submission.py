"""Each checkpoint is submitted to each witness; what it answers is kept, shown, and a finding where it is one."""

from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from mcpbridge.audit import checkpoints
from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.signing import configured_key, key_pair
from mcpbridge.audit.tree.checkpoints import open_checkpoint
from mcpbridge.audit.tree.notes import key_named
from mcpbridge.audit.witnesses.logs import cosigned_note
from mcpbridge.audit.witnesses.submission import WitnessSubmitter
from mcpbridge.models import Cosignature, SigningHead, WitnessStatus
from tests.signed_trees import add_rows, sign_tree
from tests.witness_server import HANG, WitnessServer

pytestmark = pytest.mark.django_db
ORG = "org-1"


@pytest.fixture
def server(settings) -> Iterator[WitnessServer]:  # type: ignore[no-untyped-def]
    """A witness that trusts the log of the workspace."""
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.LOG_DESTINATION_TIMEOUT_S = 5.0
    with WitnessServer(key_named(f"audit.example.com/{ORG}/1", configured_key())) as server:
        settings.AUDIT_WITNESSES = server.setting
        yield server


@pytest.fixture
def submitter(server: WitnessServer) -> WitnessSubmitter:
    return WitnessSubmitter(lock_path=None)


def grown(count: int) -> SigningHead:
    add_rows(ORG, count)
    return sign_tree(ORG)


def status() -> WitnessStatus:
    return WitnessStatus.objects.get(org_id=ORG)


def faults() -> list[FaultKind]:
    return [fault.kind for fault in node_anchors().faults if fault.workspace == ORG]


def test_each_checkpoint_is_cosigned_and_kept(server: WitnessServer, submitter: WitnessSubmitter) -> None:
    ours = key_named(f"audit.example.com/{ORG}/1", configured_key())
    for count in (3, 1, 300):
        head = grown(count)
        submitter.submit()
        submitter.submit()
        found = open_checkpoint(cosigned_note(head, [server.vkey]), ours, cosigners=[server.vkey])
        assert list(found.cosigned) == [server.vkey]
        assert (status().size, status().refusal) == (head.sequence, "")
    assert [body.split(b"\n")[0] for body in server.requests] == [b"old 3", b"old 0", b"old 3", b"old 4"]
    assert faults() == []


def test_a_log_that_stands_still_is_confirmed_again_but_kept_once(
    server: WitnessServer, submitter: WitnessSubmitter
) -> None:
    for _ in range(3):
        grown(0) if SigningHead.objects.exists() else grown(3)
        submitter.submit()
    assert len(server.requests) == 4
    assert Cosignature.objects.count() == 1
    assert status().checkpoint == SigningHead.objects.order_by("-id").values_list("pk", flat=True)[0]


def test_a_process_that_begins_takes_over(server: WitnessServer, submitter: WitnessSubmitter) -> None:
    grown(3)
    submitter.submit()
    grown(2)
    WitnessSubmitter(lock_path=None).submit()
    assert status().size == 5


def test_a_shorter_log_is_behind(server: WitnessServer, submitter: WitnessSubmitter) -> None:
    grown(3)
    backup = transaction.savepoint()
    grown(4)
    submitter.submit()
    transaction.savepoint_rollback(backup)
    grown(1)
    WitnessSubmitter(lock_path=None).submit()
    assert faults() == [FaultKind.BEHIND]
    assert status().refusal == "behind"
    # Of a log with a finding nothing is submitted.
    submitter.submit()
    assert len(server.requests) == 3


def test_another_history_is_changed(server: WitnessServer, submitter: WitnessSubmitter) -> None:
    backup = transaction.savepoint()
    grown(4)
    submitter.submit()
    transaction.savepoint_rollback(backup)
    grown(6)
    submitter.submit()
    assert faults() == [FaultKind.CHANGED]
    assert "other entries" in status().fault


@pytest.mark.parametrize(("code", "refusal"), [(403, "configuration"), (404, "configuration"), (500, "unavailable")])
def test_other_refusals_are_shown_and_pass(
    server: WitnessServer, submitter: WitnessSubmitter, code: int, refusal: str
) -> None:
    grown(3)
    server.answers = [(code, b"")]
    submitter.submit()
    assert (status().refusal, faults()) == (refusal, [])
    since = status().failing_since
    assert since is not None
    WitnessSubmitter(lock_path=None).submit()
    assert (status().refusal, status().fault, status().failing_since) == ("", "", None)


def test_a_witness_that_hangs_is_left_alone_for_a_while(
    server: WitnessServer, submitter: WitnessSubmitter, settings
) -> None:  # type: ignore[no-untyped-def]
    settings.LOG_DESTINATION_TIMEOUT_S = 0.2
    grown(3)
    server.answers = [HANG]
    submitter.submit()
    submitter.submit()
    assert len(server.requests) == 1
    assert status().refusal == "unavailable"


def test_a_checkpoint_by_another_key_is_refused_and_shown(server: WitnessServer, submitter: WitnessSubmitter) -> None:
    add_rows(ORG, 3)
    sign_tree(ORG, key=key_pair("a thief"))
    submitter.submit()
    assert status().refusal == "configuration"


def test_without_witnesses_nothing_is_asked(server: WitnessServer, submitter: WitnessSubmitter, settings) -> None:  # type: ignore[no-untyped-def]
    settings.AUDIT_WITNESSES = ""
    grown(3)
    submitter.submit()
    assert server.requests == []


def test_the_thread_wakes_at_a_checkpoint_and_stops(submitter: WitnessSubmitter) -> None:
    before = list(checkpoints.listeners)
    submitter.start()
    assert len(checkpoints.listeners) == len(before) + 1
    async_to_sync(submitter.stop)()
    assert checkpoints.listeners == before
