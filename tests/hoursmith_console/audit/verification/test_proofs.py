"""The proof of a row: its place in the chain, its checkpoint, and whether its hash still fits."""

from collections.abc import Callable

from django.db import connection
from django.test import Client
from django.utils import timezone

from hoursmith_console.audit.verification.proofs import EntryProof, entry_proofs
from mcpbridge.models import AuditEvent, SigningHead
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit

Browse = Callable[[str], Client]


def make_head(row: AuditEvent, sequence: int) -> SigningHead:
    return SigningHead.objects.create(
        org_id=row.org_id,
        sequence=sequence,
        hash=row.hash,
        at=timezone.now(),
        key_id=f"{sequence:016x}",
        signature="",
        reason="rows",
    )


def test_every_row_names_the_first_checkpoint_that_covers_it(cast: Cast) -> None:
    make_audit(cast.tokens["outsider"])
    intent = make_audit(cast.tokens["manager"])
    make_head(intent, 1)
    make_head(intent, 5)
    make_head(intent, 9)
    found = entry_proofs(intent.org_id, intent.call_id)
    assert [proof.head and proof.head.sequence for proof in found] == [1, 5]
    assert [proof.title for proof in found] == ["Intent", "Outcome"]


def test_a_checkpoint_of_another_workspace_covers_nothing(cast: Cast) -> None:
    make_head(make_audit(cast.tokens["outsider"]), 9)
    intent = make_audit(cast.tokens["manager"])
    assert [proof.head for proof in entry_proofs(intent.org_id, intent.call_id)] == [None, None]


def test_an_untouched_row_is_sound_and_a_changed_one_is_not(cast: Cast) -> None:
    row = AuditEvent.objects.get(pk=make_audit(cast.tokens["manager"]).pk)
    assert EntryProof(row, None).is_sound
    row.target_label = "Somebody else"
    assert not EntryProof(row, None).is_sound
    row = AuditEvent.objects.get(pk=row.pk)
    row.previous_hash = "not a hash"
    assert not EntryProof(row, None).is_sound


def test_the_page_shows_the_proof_and_how_to_check_it(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"])
    page = browse("manager").get(f"/audit/{intent.call_id}/").content.decode()
    assert page.count("Hash valid") == 2
    assert page.count("not signed yet") == 2
    assert intent.hash in page
    assert intent.previous_hash in page
    assert "python verify_audit.py evidence-" in page
    make_head(intent, 2)
    page = browse("manager").get(f"/audit/{intent.call_id}/").content.decode()
    assert page.count("<code>0000000000000002</code>") == 2
    assert "not signed yet" not in page


def test_a_row_that_was_changed_in_the_database_is_shown_unmistakably(cast: Cast, browse: Browse) -> None:
    intent = make_audit(cast.tokens["manager"])
    with connection.cursor() as cursor:
        triggers = _triggers_off(cursor)
        cursor.execute("UPDATE mcpbridge_auditevent SET target_label = 'Other'")
        for sql in triggers:
            cursor.execute(sql)
    page = browse("owner").get(f"/audit/{intent.call_id}/").content.decode()
    assert page.count("Hash invalid") == 2


def _triggers_off(cursor: object) -> list[str]:
    """Take the triggers away, as somebody with the database's password could; the statements to put them back."""
    run = cursor.execute  # type: ignore[attr-defined]
    run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'mcpbridge_auditevent'")
    found = cursor.fetchall()  # type: ignore[attr-defined]
    for name, _ in found:
        run(f'DROP TRIGGER "{name}"')
    return [sql for _, sql in found]
