"""Where evidence is downloaded, by whom, and what is recorded of it."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.anchors.adoption import adopt_log
from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.tree.notes import COSIGNATURE, cosignature_line, key_named, parse_note
from mcpbridge.models import AuditEvent, AuditTile, Cosignature, SigningHead
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.hoursmith_console.sign_in.people import told
from tests.proven_logs import fingerprint, lose_rows, rewrite, sealed_calls, store_tree
from tests.security.conftest import content_of
from tests.verifiers import run_standalone

Browse = Callable[[str], Client]
DOWNLOAD = "Download evidence"


def _download(client: Client, address: str, **choices: object) -> bytes:
    answer = client.post(address, choices)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip"), address
    return content_of(answer)


def _events(archive: bytes) -> list[dict[str, object]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        lines = [json.loads(line) for line in opened.read("entries.jsonl").splitlines()]
    return [line for line in lines if line["type"] == "event"]


def _is_verified(archive: bytes, folder: Path, *more: str) -> bool:
    path = folder / "evidence.zip"
    path.write_bytes(archive)
    return run_standalone(str(path), "--fingerprint", fingerprint(), *more).returncode == 0


def test_the_evidence_of_an_entry_is_one_click_away_and_recorded(cast: Cast, trusted: Browse, tmp_path: Path) -> None:
    intent, outcome = sealed_calls(cast.tokens["manager"], 2)[:2]
    store_tree(cast.org_id)
    visitor, address = trusted("owner"), f"/audit/{intent.call_id}/evidence/"
    page = visitor.get(f"/audit/{intent.call_id}/").content.decode()
    assert re.search(rf'<form method="post" action="{address}">.*?{DOWNLOAD}</button>', page)
    answer = visitor.post(address)
    assert answer["Content-Disposition"] == f'attachment; filename="evidence-{intent.call_id}.zip"'
    archive = content_of(answer)
    assert [event["sequence"] for event in _events(archive)] == [intent.sequence, outcome.sequence]
    assert _is_verified(archive, tmp_path)
    row = AuditEvent.objects.get(tool="console.evidence_download")
    assert row.actor == cast.people["owner"].display_identity
    assert row.arguments == {"entries": 2, "checkpoint": 4, "call_id": str(intent.call_id)}
    assert "downloaded evidence of" in visitor.get(f"/audit/{row.call_id}/").content.decode()
    for page in (address, "/audit/evidence/progress/"):
        assert '>Evidence complete</span> <span class="quiet"><span class="number">2</span> entries' in (
            visitor.get(page).content.decode()
        )
    assert b"complete</span>" not in visitor.get("/audit/export/").content


def test_what_the_form_leaves_out_is_not_shown(cast: Cast, trusted: Browse, tmp_path: Path) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1, target_label="Qlabel")[0]
    store_tree(cast.org_id)
    visitor, address = trusted("owner"), f"/audit/{intent.call_id}/evidence/"
    assert 'name="left_out"' in visitor.get(address).content.decode()
    archive = _download(visitor, address, left_out=["target_label", "snapshot", "arguments", "token_name"])
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert b"Qlabel" not in b"".join(opened.read(name) for name in opened.namelist())
    assert _is_verified(archive, tmp_path)
    assert visitor.post(address, {"left_out": ["hash"]}).status_code == 400
    refused = visitor.post(address, {"older": "no checkpoint"})
    assert refused.status_code == 400
    assert "This is no checkpoint" in refused.content.decode()


def test_the_evidence_of_a_filtered_list_is_of_its_entries(cast: Cast, trusted: Browse, tmp_path: Path) -> None:
    for tool in ("delete_client", "archive_project", "delete_client"):
        sealed_calls(cast.tokens["manager"], 1, tool=tool)
    sealed_calls(cast.tokens["outsider"], 1)
    store_tree(cast.org_id)
    visitor = trusted("owner")
    page = visitor.get("/audit/?tool=delete_client").content.decode()
    assert f'href="/audit/evidence/?tool=delete_client">{DOWNLOAD}<' in page
    archive = _download(visitor, "/audit/evidence/?tool=delete_client")
    assert [event["sequence"] for event in _events(archive)] == [1, 2, 5, 6]
    assert _is_verified(archive, tmp_path)
    others = _download(visitor, "/audit/evidence/?tool=delete_client", shows_others="on")
    assert [event["sequence"] for event in _events(others)] == [1, 2, 3, 4, 5, 6]
    assert visitor.post("/audit/evidence/?tool=archive_expense").status_code == 409


def test_the_evidence_of_a_rotation_is_of_its_steps(cast: Cast, trusted: Browse, tmp_path: Path) -> None:
    token = cast.tokens["manager"]
    made = start_rotation(env="live", prefix=token.prefix, workspace=cast.workspace, kind="planned", actor="Ana")
    other = cast.tokens["owner"].prefix
    start_rotation(env="live", prefix=other, workspace=cast.workspace, kind="planned", actor="Ana")
    store_tree(cast.org_id)
    visitor, address = trusted("owner"), f"/rotations/{made.pk}/evidence/"
    assert f'href="{address}">{DOWNLOAD}<' in visitor.get(f"/rotations/{made.pk}/").content.decode()
    assert DOWNLOAD in visitor.get(address).content.decode()
    archive = _download(visitor, address)
    assert {(event["tool"], event["target_id"]) for event in _events(archive)} == {
        ("console.rotation_start", token.prefix)
    }
    assert _is_verified(archive, tmp_path)
    Rotation.objects.filter(pk=made.pk).update(ended_at=made.requested_at, outcome="cancelled")
    assert address in visitor.get(f"/rotations/{made.pk}/").content.decode()


def test_evidence_is_for_reviewers_who_signed_in_recently(cast: Cast, browse: Browse, trusted: Browse) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1)[0]
    store_tree(cast.org_id)
    address = f"/audit/{intent.call_id}/evidence/"
    for ask in ("get", "post"):
        assert getattr(trusted("manager"), ask)(address).status_code == 403
        assert getattr(trusted("member"), ask)(address).status_code == 404
        assert getattr(trusted("outsider"), ask)(address).status_code == 404
        assert getattr(trusted("manager"), ask)("/audit/evidence/").status_code == 403
        assert getattr(browse("owner"), ask)(address)["Location"].startswith("/accounts/reauthenticate/")
    assert told() == []
    assert DOWNLOAD in browse("owner").get(f"/audit/{intent.call_id}/").content.decode()
    assert DOWNLOAD not in browse("manager").get(f"/audit/{intent.call_id}/").content.decode()
    Member.objects.filter(pk=cast.people["member"].pk).update(is_auditor=True)
    assert _events(_download(trusted("member"), address))


def test_what_cannot_be_recorded_is_not_downloaded(cast: Cast, trusted: Browse, request: pytest.FixtureRequest) -> None:
    intent, visitor = sealed_calls(cast.tokens["manager"], 1)[0], trusted("owner")
    store_tree(cast.org_id)
    request.getfixturevalue("audit_unavailable")
    assert visitor.post(f"/audit/{intent.call_id}/evidence/").status_code == 503


# Reasons why there is none


def _refused(visitor: Client, intent: AuditEvent) -> str:
    answer = visitor.post(f"/audit/{intent.call_id}/evidence/")
    assert answer.status_code == 409
    assert told() == []
    return answer.content.decode()


def test_nothing_is_made_while_the_log_contradicts_its_anchor(cast: Cast, trusted: Browse) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1)[0]
    store_tree(cast.org_id)
    node_anchors().report(FaultKind.CHANGED, cast.org_id, "Row 1 differs.")
    assert "does not agree with the anchor" in _refused(trusted("owner"), intent)


def test_a_forged_checkpoint_and_forged_tiles_prove_nothing(cast: Cast, trusted: Browse) -> None:
    intent, visitor = sealed_calls(cast.tokens["manager"], 2)[0], trusted("owner")
    head = store_tree(cast.org_id)
    tile = AuditTile.objects.get(org_id=cast.org_id, level=0)
    rewrite(tile, hashes=bytes(len(tile.hashes)))
    assert "does not agree with the signed one" in _refused(visitor, intent)
    rewrite(head, root="0" * 64)
    assert "not signed by a key of this console" in _refused(visitor, intent)
    rewrite(head, root=head.root, signed_note="x\n1\n")
    assert "not signed by a key of this console" in _refused(visitor, intent)


def test_what_is_newer_than_the_last_checkpoint_is_signed_first(cast: Cast, trusted: Browse, tmp_path: Path) -> None:
    first, second = make_audit(cast.tokens["manager"]), make_audit(cast.tokens["manager"])
    visitor = trusted("owner")
    for row in (first, second):
        assert _is_verified(_download(visitor, f"/audit/{row.call_id}/evidence/"), tmp_path)
    # One checkpoint covered both; the entries of the downloads are later.
    assert list(SigningHead.objects.values_list("sequence", flat=True)) == [4]


def test_a_log_of_the_older_format_is_exported_instead(cast: Cast, trusted: Browse) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1, epoch=0)[0]
    visitor, address = trusted("owner"), f"/audit/{intent.call_id}/evidence/"
    assert "does not sign it" in _refused(visitor, intent)
    adopt_log(org_id=cast.org_id, reason="It was written before.", actor="operator")
    page = visitor.post(address)
    assert (page.status_code, "in the older format" in page.content.decode()) == (409, True)


def test_evidence_of_a_restored_log_has_the_statement_of_the_restore(
    cast: Cast, trusted: Browse, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    before, lost = make_audit(cast.tokens["manager"]), make_audit(cast.tokens["manager"])
    with django_capture_on_commit_callbacks(execute=True):
        make_checkpoints(reason="demand", org_id=cast.org_id)
    lose_rows(cast.org_id, after=before.sequence + 1)
    visitor = trusted("owner")
    assert "does not agree with the anchor" in _refused(visitor, before)
    with django_capture_on_commit_callbacks(execute=True):
        call_command("audit_accept_restore", reason="restored the backup of 11:00", stdout=io.StringIO())
    after = make_audit(cast.tokens["manager"])
    assert after.sequence >= lost.sequence
    for row in (before, after):
        archive = _download(visitor, f"/audit/{row.call_id}/evidence/")
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            assert b"restored the backup of 11:00" in opened.read("entries.jsonl")
            assert opened.read("checkpoint").split(b"\n")[0].endswith(b"/2")
            report = opened.read("report.html").decode()
        assert (
            f"entries {before.sequence + 2} to {lost.sequence + 1}, as they were signed before, are missing" in report
        )
        assert "with the reason “restored the backup of 11:00”" in report
        assert _is_verified(archive, tmp_path)


# Witnesses

WITNESS = key_pair("a witness")


def test_cosignatures_are_part_of_the_evidence_unless_they_are_wrong(
    cast: Cast, trusted: Browse, tmp_path: Path, settings: Any
) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1)[0]
    head, vkey = store_tree(cast.org_id), key_named("witness.example.com", WITNESS, kind=COSIGNATURE)
    settings.AUDIT_WITNESSES = f"{vkey} https://witness.example.com"
    line = cosignature_line(parse_note(head.signed_note).text, name=vkey.name, signer=WITNESS, seconds=1_790_000_000)
    kept = Cosignature.objects.create(head=head, cosigner=vkey.name, line=str(line), at=timezone.now())
    # A later checkpoint that no witness has seen yet covers the entry as well.
    make_audit(cast.tokens["owner"])
    store_tree(cast.org_id)
    visitor, address = trusted("owner"), f"/audit/{intent.call_id}/evidence/"
    archive = _download(visitor, address)
    assert _is_verified(archive, tmp_path, "--witness", str(vkey))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert b"1 cosignature in" in opened.read("report.html")
    rewrite(kept, line=str(replace(line, signature=bytes(len(line.signature)))))
    archive = _download(visitor, address)
    assert _is_verified(archive, tmp_path)
    assert not _is_verified(archive, tmp_path, "--witness", str(vkey))
