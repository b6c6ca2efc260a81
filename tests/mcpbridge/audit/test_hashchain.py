import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
import rfc8785
from django.db import Error, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.audit.hashchain import (
    FACTS,
    Head,
    canonical,
    facts,
    fast_canonical,
    genesis,
    link,
    quick_canonical,
    row_hash,
)
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.core.sanitize import canonical_number, sanitize_snapshot
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey
from tests.call_records import OWNER, REFUSED, a_call

NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=True),
    st.floats(min_value=-1e-3, max_value=1e-3),
    st.floats(min_value=1e15, max_value=1e22),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=6),
    max_leaves=12,
)


@given(VALUES)
def test_the_quick_way_writes_the_same_bytes_as_the_reference_for_whatever_was_recorded(value):
    recorded = sanitize_snapshot(value)
    assert fast_canonical(recorded) == canonical(recorded)


@given(VALUES)
def test_what_was_recorded_has_the_same_canonical_form_after_a_round_through_json(value):
    recorded = sanitize_snapshot(value)
    assert canonical(orjson.loads(orjson.dumps(recorded))) == canonical(recorded)


@given(NUMBERS)
def test_a_number_is_kept_as_one_where_every_library_prints_it_alike(number):
    kept = canonical_number(number)
    if isinstance(kept, str):
        return
    assert kept == number
    assert math.isfinite(kept)
    assert orjson.dumps(kept) == rfc8785.dumps(kept)


@given(VALUES | st.dictionaries(st.integers(0, 3), st.none(), min_size=1) | st.text(st.characters(categories=["Cs"])))
def test_whatever_a_row_in_a_database_has_the_quick_way_says_what_the_reference_says(value):
    try:
        said = canonical(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        with pytest.raises(type(error)):
            quick_canonical(value)
    else:
        assert quick_canonical(value) == said


def test_keys_beyond_the_basic_plane_are_sorted_as_the_standard_says():
    value = {"\ufb01": 1, "\U0001f600": 2, "a": 3}
    assert list(orjson.loads(fast_canonical(value))) == ["a", "\U0001f600", "\ufb01"]


def test_the_first_row_stands_behind_something_that_names_its_workspace():
    assert genesis("org-1").sequence == 0
    assert genesis("org-1").hash != genesis("org-2").hash


def test_every_column_of_the_record_is_covered_by_the_hash():
    columns = {field.name for field in AuditEvent._meta.get_fields()}
    # The seal makes salts, which the commitments among the facts cover.
    assert columns == {*FACTS, "org_id", "epoch", "seal", "hash", "previous_hash"}


def test_any_changed_fact_changes_the_hash():
    columns = dict.fromkeys(FACTS, "x") | {"org_id": "o", "recorded_at": datetime(2026, 11, 23, tzinfo=UTC)}
    link(columns, Head(4, "00" * 32))
    for name in (*FACTS, "org_id"):
        changed = columns | {name: "y" if name != "sequence" else 6}
        assert row_hash(canonical(facts(changed)), "00" * 32) != columns["hash"], name


@pytest.fixture
def two_deletions(database, runner):
    """The record of two destructive calls of one workspace and one of another, on either kind of database."""
    writer = AuditWriter(timeout_s=5, lock_path=database.lock_path)
    writer.start()
    calls = [
        a_call(target_label="Glöbex 🧾", arguments={"n": 1.5}),
        a_call(),
        a_call(identity=replace(OWNER, org_id="org-2")),
    ]

    snapshot = sanitize_snapshot({"rate": "85.00", "n": [1, 2.0, 0.1, 1e21, 2**60, None]})

    async def story():
        await asyncio.gather(*(writer.intent(call, snapshot=snapshot) for call in calls))
        await asyncio.gather(*(writer.outcome(call, REFUSED) for call in calls))

    runner.run(story())
    runner.run(writer.stop())
    return database


def test_each_workspace_has_a_chain_of_its_own_that_can_be_recomputed_from_the_database(two_deletions):
    for org_id, length in (("org-1", 4), ("org-2", 2)):
        head = genesis(org_id)
        rows = AuditEvent.objects.filter(org_id=org_id).order_by("sequence").values()
        for row in rows:
            assert (row["sequence"], row["previous_hash"]) == (head.sequence + 1, head.hash)
            assert row["hash"] == row_hash(canonical(facts(row)), head.hash)
            head = Head(row["sequence"], row["hash"])
        assert head.sequence == length


def refused(statement, parameters=()):
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    return True


SIGNED = {"org_id": "org-1", "hash": "0" * 64, "at": datetime(2026, 1, 1, tzinfo=UTC), "key_id": "k", "signature": "s"}


def test_the_database_refuses_to_change_or_remove_a_row_by_any_route(two_deletions):
    table = AuditEvent._meta.db_table
    row = AuditEvent.objects.filter(org_id="org-1").first()
    assert refused(f"UPDATE {table} SET tool = 'get_me'")
    assert refused(f"DELETE FROM {table}")
    row.tool = "get_me"
    for attempt in (
        row.save,
        row.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(role="MEMBER"),
        lambda: AuditEvent.objects.bulk_update([row], ["tool"]),
    ):
        with pytest.raises(Error), transaction.atomic():
            attempt()
    columns = ", ".join(connection.ops.quote_name(field.column) for field in AuditEvent._meta.concrete_fields)
    if connection.vendor == "sqlite":
        assert refused(f"REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT 1")
        assert refused(f"INSERT OR REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT 1")
    else:
        assert refused(f"TRUNCATE {table}")
    again = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE true"
    assert refused(f"{again} ON CONFLICT (id) DO UPDATE SET tool = 'x'")
    assert AuditEvent.objects.count() == 6
    assert set(AuditEvent.objects.values_list("tool", flat=True)) == {"delete_client"}


def test_checkpoints_cuts_and_keys_cannot_be_changed_either(two_deletions):
    key = {"key_id": "k", "public_key": "p", "since": SIGNED["at"], "announced_by": "", "signature": "s"}
    SigningHead.objects.create(**SIGNED, sequence=4, reason="time")
    SigningKey.objects.create(**key)
    AuditCut.objects.create(**{**SIGNED, "org_id": "org-9"}, sequence=9, rows=9)
    for model in (SigningHead, SigningKey, AuditCut):
        with pytest.raises(Error), transaction.atomic():
            model.objects.all().delete()
        with pytest.raises(Error), transaction.atomic():
            model.objects.update(signature="forged")
        assert model.objects.count() == 1


def test_only_rows_below_a_cut_of_their_own_workspace_may_go(two_deletions):
    AuditCut.objects.create(**SIGNED, sequence=2, rows=2)
    AuditEvent.objects.filter(org_id="org-1", sequence__lte=2).delete()
    with pytest.raises(Error), transaction.atomic():
        AuditEvent.objects.filter(org_id="org-1", sequence=3).delete()
    with pytest.raises(Error), transaction.atomic():
        AuditEvent.objects.filter(org_id="org-2", sequence=1).delete()
    assert AuditEvent.objects.count() == 4
