"""The stored audit log: verified and exported from either kind of database, intact and after tampering by SQL."""

import io
import json
import re
import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, router, transaction

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.export.formats import FORMATS
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.hashchain import Head, genesis, link
from mcpbridge.audit.keyring import announce_key, key_line, published_keys
from mcpbridge.audit.log_tree.origins import new_origin
from mcpbridge.audit.signing import configured_key, cut_message
from mcpbridge.audit.verification import OutsideHead, Unsigned, VerificationReport
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.audit.verification.sources import stored_rows, verify_export, verify_stored
from mcpbridge.db.bulk import insert
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey
from tests.audit_chains import START, STRANGER, a_key, columns
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.export.readers import rows_of_cef, rows_of_csv, rows_of_ocsf
from tests.verifiers import verdict_on

EVENTS, HEADS, CUTS, KEYS = (model._meta.db_table for model in (AuditEvent, SigningHead, AuditCut, SigningKey))
LENGTH = 9


def grow(head: Head, until: int, workspace: str = "org-1", **more: object) -> Head:
    rows = []
    while head.sequence < until:
        rows.append(columns(head.sequence + 1, workspace, **more))
        head = link(rows[-1], head, epoch=1)
    insert(router.db_for_write(AuditEvent), AuditEvent, rows)
    return head


@pytest.fixture
def record(database: RecordDatabase) -> RecordDatabase:
    """Nine rows of one workspace, checkpoints at 4, 8 and at the last; three rows of another, signed up to 2."""
    head = genesis("org-1")
    for workspace in ("org-1", "org-2"):
        node_anchors().begin(workspace, new_origin("default", workspace))
    for until in (4, 8):
        head = grow(head, until)
        make_checkpoints(reason="demand")
    grow(head, LENGTH)
    make_checkpoints(reason="demand")
    other = grow(genesis("org-2"), 2, "org-2")
    make_checkpoints(reason="demand", org_id="org-2")
    grow(other, 3, "org-2")
    return database


@pytest.fixture
def sql(record: RecordDatabase) -> Callable[..., None]:
    """Run statements as the owner of the database, with the triggers disabled."""

    def run(*statements: str) -> None:
        if record.path is not None:
            with sqlite3.connect(record.path) as raw:
                names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
                for (name,) in names:
                    raw.execute(f"DROP TRIGGER {name}")
                for statement in statements:
                    raw.execute(statement)
            raw.close()
            return
        with psycopg.connect(record.url) as raw_postgres:
            raw_postgres.execute("SET session_replication_role = replica")
            for statement in statements:
                raw_postgres.execute(statement)

    return run


def found(**more: object) -> tuple[object, ...] | None:
    verdict = verify_stored(**more)
    agrees_with_an_export(verdict, **more)
    bad = verdict.first_bad
    return bad and (bad.kind, bad.workspace, bad.sequence)


def agrees_with_an_export(verdict: VerificationReport, *, head: OutsideHead | None = None, **more: object) -> None:
    """An export of it has the same result, by either verifier."""
    lines = list(FORMATS["jsonl"].lines(Selection()))
    kept = f"{head.sequence or ''}:{head.hash}".lstrip(":") if head else ""
    trusted = fingerprint_of(configured_key().public_key)
    keys = json.dumps(published_keys())
    exported = verdict_on(lines, keys, fingerprint=trusted, head=kept, only=more.get("workspace"), tail=True)
    assert without_ids(exported) == without_ids(verdict.as_dict())


def without_ids(told: dict) -> dict:
    return json.loads(json.dumps(told), object_hook=lambda each: {k: v for k, v in each.items() if k != "reason"})


def test_an_untouched_record_holds(record):
    assert found() is None
    verdict = verify_stored()
    assert [(chain.workspace, chain.rows, chain.vouched) for chain in verdict.chains] == [
        ("org-1", LENGTH, LENGTH),
        ("org-2", 3, 2),
    ]
    assert stored_rows() == LENGTH + 3
    assert stored_rows("org-2") == 3
    last = AuditEvent.objects.get(org_id="org-1", sequence=LENGTH)
    assert found(workspace="org-1", head=OutsideHead(last.hash)) is None
    assert found(workspace="org-1", head=OutsideHead(last.hash, LENGTH)) is None


WHERE = "WHERE org_id = 'org-1' AND sequence"
ATTACKS = {
    "edit": ([f"UPDATE {EVENTS} SET role = 'MEMBER' {WHERE} = 5"], ("edited", 5)),
    "edit a snapshot": ([f'UPDATE {EVENTS} SET snapshot = \'{{"rate": "0.01"}}\' {WHERE} = 5'], ("edited", 5)),
    "edit a hash": ([f"UPDATE {EVENTS} SET hash = 'x' {WHERE} = 5"], ("edited", 5)),
    "delete": ([f"DELETE FROM {EVENTS} {WHERE} = 5"], ("removed", 5)),
    "delete and renumber": (
        [
            f"DELETE FROM {EVENTS} {WHERE} = 5",
            *(f"UPDATE {EVENTS} SET sequence = {n - 1} {WHERE} = {n}" for n in range(6, LENGTH + 1)),
        ],
        ("removed", 5),
    ),
    "delete the first": ([f"DELETE FROM {EVENTS} {WHERE} <= 2"], ("removed", 1)),
    "swap": (
        [
            f"UPDATE {EVENTS} SET sequence = 1000 {WHERE} = 3",
            f"UPDATE {EVENTS} SET sequence = 3 {WHERE} = 7",
            f"UPDATE {EVENTS} SET sequence = 7 {WHERE} = 1000",
        ],
        ("reordered", 3),
    ),
    "cut": ([f"DELETE FROM {EVENTS} {WHERE} > 6"], ("cut-tail", 7)),
    "empty": ([f"DELETE FROM {EVENTS} {WHERE} > 0"], ("cut-tail", 1)),
    "another workspace's rows": (
        [
            f"DELETE FROM {EVENTS} WHERE org_id = 'org-1'",
            f"DELETE FROM {HEADS} WHERE org_id = 'org-1'",
            f"UPDATE {EVENTS} SET org_id = 'org-1'",
            f"INSERT INTO {CUTS} (org_id, sequence, hash, at, key_id, signature, rows)"
            " VALUES ('org-2', 0, '', '2026-01-01 00:00:00', '', '', 0)",
        ],
        ("other-genesis", 1),
    ),
    "edit a checkpoint": ([f"UPDATE {HEADS} SET hash = '{'0' * 64}' {WHERE} = 4"], ("wrong-key", 4)),
    "edit a checkpoint's place": ([f"UPDATE {HEADS} SET sequence = 5 {WHERE} = 4"], ("wrong-key", 5)),
    "edit a checkpoint's instant": ([f"UPDATE {HEADS} SET at = '2026-01-01 00:00:00' {WHERE} = 8"], ("wrong-key", 8)),
    "edit a signature": ([f"UPDATE {HEADS} SET signature = 'AAAA' {WHERE} = 4"], ("wrong-key", 4)),
    "name another key": ([f"UPDATE {HEADS} SET key_id = 'unknown' {WHERE} = 4"], ("unknown-key", 4)),
    "a forged cut": (
        [
            f"DELETE FROM {EVENTS} {WHERE} <= 2",
            f"INSERT INTO {CUTS} (org_id, sequence, hash, at, key_id, signature, rows)"
            f" SELECT org_id, 2, previous_hash, recorded_at, 'unknown', 'AAAA', 2 FROM {EVENTS} {WHERE} = 3",
        ],
        ("unknown-key", 2),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_somebody_does_with_sql_is_found(name, sql):
    statements, (kind, sequence) = ATTACKS[name]
    sql(*statements)
    assert found() == (kind, "org-1", sequence)


def test_a_row_inserted_with_all_later_ones_renumbered_is_found(sql):
    before = AuditEvent.objects.get(org_id="org-1", sequence=4)
    strange = columns(5, tool="get_me", call_id=uuid.uuid4())
    link(strange, Head(4, before.hash), epoch=1)
    sql(*(f"UPDATE {EVENTS} SET sequence = {n + 1} {WHERE} = {n}" for n in range(LENGTH, 4, -1)))
    insert("default", AuditEvent, [strange])
    bad = verify_stored().first_bad
    assert bad is not None
    assert (bad.kind, bad.sequence, bad.id) == ("inserted", 5, str(strange["id"]))


def test_a_rewritten_chain_no_longer_agrees_with_its_checkpoints(sql):
    before = AuditEvent.objects.get(org_id="org-1", sequence=5)
    sql(f"DELETE FROM {EVENTS} {WHERE} > 5")
    grow(Head(5, before.hash), LENGTH, tool="get_me")
    bad = verify_stored().first_bad
    assert bad is not None
    assert (bad.kind, bad.sequence, bad.until) == ("replaced", 5, 8)


def test_a_fork_in_the_database_is_found(sql):
    before = AuditEvent.objects.get(org_id="org-1", sequence=4)
    twin = columns(5, tool="get_me", call_id=uuid.uuid4())
    link(twin, Head(4, before.hash), epoch=1)
    index = "audit_one_place_a_row"
    if connection.vendor == "sqlite":
        sql(
            f"CREATE TABLE copied AS SELECT * FROM {EVENTS}",
            f"DROP TABLE {EVENTS}",
            f"ALTER TABLE copied RENAME TO {EVENTS}",
        )
    else:
        sql(f"ALTER TABLE {EVENTS} DROP CONSTRAINT {index}")
    insert("default", AuditEvent, [twin])
    bad = verify_stored().first_bad
    assert bad is not None
    assert (bad.kind, bad.sequence, bad.id) == ("forked", 5, str(twin["id"]))


GARBAGE = {
    f"UPDATE {EVENTS} SET at = 'garbage' {WHERE} = 5": ("edited", 5),
    f"UPDATE {EVENTS} SET recorded_at = NULL {WHERE} = 5": ("edited", 5),
    f"UPDATE {EVENTS} SET arguments = '{{' {WHERE} = 5": ("edited", 5),
    f"UPDATE {EVENTS} SET id = 'garbage' {WHERE} = 5": ("edited", 5),
    f"UPDATE {EVENTS} SET arguments = '[1e999, 123456789012345678901234567890]' {WHERE} = 5": ("edited", 5),
    f"UPDATE {EVENTS} SET arguments = '\"\\ud800\"' {WHERE} = 5": ("edited", 5),
    f"UPDATE {HEADS} SET at = 'garbage' {WHERE} = 8": ("unknown-key", 8),
}


@pytest.mark.parametrize("statement", GARBAGE)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_no_column_should_hold_is_a_finding_and_no_crash(statement, sql):
    """SQLite stores any value in any column; such a value must not make the verifier crash."""
    sql(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = '{EVENTS}'",
    )
    row = AuditEvent.objects.get(org_id="org-1", sequence=5)
    sql("PRAGMA ignore_check_constraints = ON", statement)
    kind, sequence = GARBAGE[statement]
    assert found() == (kind, "org-1", sequence)
    bad = verify_stored().first_bad
    assert bad is not None
    assert (bad.id == str(row.id)) is (kind == "edited" and "SET id" not in statement)
    for each in FORMATS.values():
        assert b"".join(each.lines(Selection())).count(b"org-1") >= LENGTH


def test_a_chain_that_retention_cut_holds_behind_the_cut(record, sql):
    cut = AuditEvent.objects.get(org_id="org-1", sequence=5)
    key, at = configured_key(), datetime.now(UTC)
    message = cut_message(org_id="org-1", sequence=5, hash=cut.hash, at=at, rows=5)
    AuditCut.objects.create(
        org_id="org-1", sequence=5, hash=cut.hash, at=at, key_id=key.key_id, signature=key.sign(message), rows=5
    )
    assert found() is None
    AuditEvent.objects.filter(org_id="org-1", sequence__lte=5).delete()
    assert found() is None
    assert verify_stored().chains[0].behind == 5
    SigningHead.objects.filter(org_id="org-1", sequence__lte=5).delete()
    assert found() is None
    sql(f"DELETE FROM {EVENTS} {WHERE} = 6")
    assert found() == ("removed", "org-1", 6)


def test_the_database_s_own_keys_are_trusted_where_they_lead_to_the_configured_one(record, settings):
    announce_key(text="the key that comes next", actor="a test")
    settings.AUDIT_SIGNING_KEY = "the key that comes next"
    make_checkpoints(reason="demand")
    assert SigningHead.objects.order_by("-id").values_list("key_id", flat=True).first() == configured_key().key_id
    assert found() is None
    settings.AUDIT_SIGNING_KEY = "a key that nobody announced"
    assert verify_stored().first_bad.kind == "unknown-key"


def test_a_key_put_into_the_table_counts_for_nothing(record, sql):
    stranger = a_key(STRANGER)
    sql(
        f"UPDATE {KEYS} SET key_id = '{stranger.key_id}', public_key = '{stranger.public_key}',"
        f" signature = '{stranger.signature}', since = '{stranger.since}'",
        f"UPDATE {HEADS} SET key_id = '{stranger.key_id}'",
    )
    assert verify_stored().first_bad.kind == "unknown-key"


def test_a_key_file_from_elsewhere_decides_whom_the_command_trusts(record, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(published_keys()))
    out = io.StringIO()
    ours, strangers = fingerprint_of(configured_key().public_key), fingerprint_of(STRANGER.public_key)
    call_command("audit_verify", key=str(keys), fingerprint=ours, stdout=out)
    assert "org-1: 9 rows from the beginning, 3 checkpoints" in out.getvalue()
    keys.write_text(json.dumps({"keys": [vars_of(a_key(STRANGER))]}))
    with pytest.raises(SystemExit) as ending:
        call_command("audit_verify", key=str(keys), fingerprint=strangers, stdout=out)
    assert ending.value.code == 1
    assert "BAD: unknown-key, checkpoint at row 4" in out.getvalue()


def vars_of(key) -> dict[str, str]:
    return {name: getattr(key, name) for name in ("key_id", "public_key", "since", "announced_by", "signature")}


def test_the_command_says_what_holds_and_how_far(record):
    out = io.StringIO()
    call_command("audit_verify", stdout=out)
    assert "rows after row 2 are not yet signed" in out.getvalue()
    assert f"valid through row {LENGTH}, " in out.getvalue()
    call_command("audit_verify", workspace="org-1", json=True, stdout=(out := io.StringIO()))
    assert json.loads(out.getvalue())["workspaces"][0]["vouched"] == LENGTH


def test_the_command_refuses_what_it_cannot_use(record):
    for options in ({"workspace": "org-9"}, {"head": "x"}, {"partial": True}, {"head": "0" * 64}):
        with pytest.raises(CommandError) as refusal:
            call_command("audit_verify", **options)
        assert refusal.value.returncode == 2


def test_the_command_on_an_empty_record(database):
    out = io.StringIO()
    call_command("audit_verify", stdout=out)
    assert out.getvalue() == "There are no audit rows yet.\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal(record):
    terminal = Terminal()
    call_command("audit_verify", stdout=io.StringIO(), stderr=terminal)
    assert terminal.getvalue().endswith("\r[####################] 12 of 12 rows\n")
    call_command("audit_export", format="csv", stdout=io.StringIO(), stderr=terminal)
    assert re.search(r"\r\[#{20}\] (\d+) of \1 rows\n$", terminal.getvalue())


def exported(**options: object) -> bytes:
    """What `audit_export` prints, asked as on the command line."""
    made = io.TextIOWrapper(io.BytesIO())
    call_command("audit_export", *(f"--{name}={value}" for name, value in options.items()), stdout=made)
    made.flush()
    return made.buffer.getvalue()


def test_an_export_is_recorded_first_and_ends_signed(record):
    lines = exported(format="jsonl", workspace="org-2").splitlines(keepends=True)
    verdict = verify_export(lines, key_line("default"))
    assert verdict.is_ok
    assert [(chain.workspace, chain.rows, chain.vouched) for chain in verdict.chains] == [("org-2", 4, 4)]
    row = AuditEvent.objects.get(org_id="org-2", sequence=4)
    assert (row.tool, row.arguments, row.result) == ("console.export", {"format": "jsonl"}, "succeeded")
    assert row.actor
    assert not AuditEvent.objects.filter(org_id="org-1", tool="console.export").exists()


@pytest.mark.parametrize(("name", "read"), [("csv", rows_of_csv), ("cef", rows_of_cef), ("ocsf", rows_of_ocsf)])
def test_every_format_carries_the_chosen_rows(name, read, record):
    rows = read(exported(format=name, workspace="org-1", tool="delete_client"))
    assert [row["sequence"] for row in rows] == list(range(1, LENGTH + 1))
    stored = dict(AuditEvent.objects.filter(org_id="org-1").values_list("sequence", "hash"))
    assert all(row["hash"] == stored[row["sequence"]] for row in rows)
    since, until = (START + timedelta(seconds=n) for n in (3, 6))
    rows = read(exported(format=name, since=since.isoformat(), until=until.isoformat()))
    assert {(row["workspace"], row["sequence"]) for row in rows} == {
        (workspace, n) for workspace, n in [("org-1", 3), ("org-1", 4), ("org-1", 5), ("org-2", 3)]
    }


def test_a_filtered_export_says_so_and_verifies_in_part(record):
    lines = exported(format="jsonl", workspace="org-1", since=(START + timedelta(seconds=3)).isoformat())
    first, *rest = lines.splitlines(keepends=True)
    assert json.loads(first)["filters"] == {"since": "2026-11-23T10:42:10.123456Z"}
    assert json.loads(first)["complete"] is False
    keys = json.dumps(published_keys())
    (chain,) = verdict_on([first, *rest], keys, partial=True)["workspaces"]
    assert (chain["left_out"], chain["vouched"], chain["bad"]) == (2, LENGTH + 1, None)


def test_the_export_command_refuses_what_it_cannot_use(record):
    with pytest.raises(CommandError) as refusal:
        exported(format="csv", workspace="org-9")
    assert refusal.value.returncode == 2
    for options in ({"format": "xml"}, {"format": "csv", "since": "yesterday"}):
        with pytest.raises(CommandError):
            exported(**options)
    assert not AuditEvent.objects.filter(tool="console.export").exists()


def test_nothing_is_exported_that_cannot_be_recorded(record, settings):
    settings.AUDIT_WRITE_TIMEOUT_MS = 200
    with record.held(), pytest.raises(CommandError, match="Nothing was exported"):
        exported(format="csv")


def test_rows_that_are_written_during_a_verification_do_not_disturb_it(record):
    """A stream begins, and the chain grows and is signed before it ends."""
    told: list[int] = []

    def meanwhile(rows: int) -> None:
        told.append(rows)

    records = Selection()
    lines = FORMATS["jsonl"].lines(records)
    begun = [next(lines) for _ in range(4)]
    last = AuditEvent.objects.get(org_id="org-1", sequence=LENGTH)
    grow(Head(LENGTH, last.hash), LENGTH + 3)
    make_checkpoints(reason="demand")
    verdict = verify_export([*begun, *lines], key_line("default"), unsigned=Unsigned.TAIL, progress=meanwhile)
    assert verdict.is_ok
    assert told == [verdict.rows]
    assert found() is None


def test_a_verification_holds_no_lock(record):
    stream = FORMATS["jsonl"].lines(Selection())
    next(stream)
    next(stream)
    with transaction.atomic():
        grow(genesis("org-3"), 1, "org-3")
    assert list(stream)
