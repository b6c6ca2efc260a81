"""Whichever way a text takes into a column, the secret of a token does not get there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.utils import timezone

from mcpbridge.audit.hashchain import canonical, facts, genesis, row_hash
from mcpbridge.audit.rows import append_rows, event_row
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.db.bulk import insert, upsert
from mcpbridge.models import AuditEvent, Freeze, ObservedToken, Result, ToolCall
from tests.call_records import a_call
from tests.databases import RecordDatabase
from tests.hoursmith_console.records import call_row, make_token
from tests.wrapped_tokens import PREFIX, SECRET, TOKEN

TEXT = f"pasted {TOKEN} here"
MASKED = f"pasted {PREFIX}_•••• here"


def _freeze(**more: Any) -> dict[str, Any]:
    return {"org_id": "org-1", "reason": TEXT, "frozen_at": timezone.now(), "frozen_by": "Ana", **more}


def _update() -> None:
    Freeze.objects.create(**_freeze(reason="")).save()
    Freeze.objects.update(reason=TEXT)


def _bulk_update() -> None:
    row = Freeze.objects.create(**_freeze(reason=""))
    row.reason = TEXT
    Freeze.objects.bulk_update([row], ["reason"])


def _saved() -> None:
    row = Freeze(**_freeze())
    row.save()
    assert row.reason == MASKED


WAYS: dict[str, Callable[[], object]] = {
    "save": _saved,
    "create": lambda: Freeze.objects.create(**_freeze()),
    "update": _update,
    "bulk_create": lambda: Freeze.objects.bulk_create([Freeze(**_freeze())]),
    "bulk_update": _bulk_update,
    "get_or_create": lambda: Freeze.objects.get_or_create(org_id="org-1", defaults=_freeze()),
    "update_or_create": lambda: Freeze.objects.update_or_create(org_id="org-1", defaults=_freeze()),
    "insert": lambda: insert("default", Freeze, [_freeze(env="", prefix="", lifted_by="")] * 1),
    "insert of many": lambda: insert(
        "default", Freeze, [_freeze(env="live", prefix=f"{n:012}", lifted_by="") for n in range(9)]
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_masked_on_every_way_into_a_column(database: RecordDatabase, way: str) -> None:
    WAYS[way]()
    assert set(Freeze.objects.values_list("reason", flat=True)) == {MASKED}


def test_it_is_masked_in_json_at_any_depth_and_in_keys(database: RecordDatabase) -> None:
    row = call_row(make_token("org-1", "4f8a2c1bdedf"))
    row.arguments = {TOKEN: [{"note": TEXT}], "more": None}
    row.save()
    assert ToolCall.objects.get().arguments == {f"{PREFIX}_••••": [{"note": MASKED}], "more": None}


def test_it_is_masked_where_rows_are_added_up(database: RecordDatabase) -> None:
    seen = make_token("org-1", "4f8a2c1bdedf")
    names = [column.attname for column in ObservedToken._meta.fields if not column.primary_key]
    row = {**{name: getattr(seen, name) for name in names}, "token_name": TEXT, "scopes": [TEXT]}
    upsert(
        "default",
        ObservedToken,
        [row],
        key=("env", "prefix"),
        added=(),
        latest=("token_name", "scopes"),
        by="last_used_at",
    )
    seen.refresh_from_db()
    assert (seen.token_name, seen.scopes) == (MASKED, [MASKED])


def test_what_is_looked_for_is_masked_too(database: RecordDatabase) -> None:
    Freeze.objects.create(**_freeze())
    found = Freeze.objects.filter(reason=TEXT)
    assert found.exists()
    assert SECRET not in str(found.query)


def test_an_expression_is_left_to_the_database(database: RecordDatabase) -> None:
    Freeze.objects.create(**_freeze(reason="a"))
    Freeze.objects.update(reason=Concat(F("reason"), Value("b")))
    assert Freeze.objects.get().reason == "ab"


def test_a_mask_that_is_longer_than_its_token_fits_the_column(database: RecordDatabase) -> None:
    Freeze.objects.create(**_freeze(reason="x" * 195 + "hsk_9"))
    assert Freeze.objects.get().reason == "x" * 195 + "hsk_•"


def test_the_chain_is_over_what_is_stored(database: RecordDatabase) -> None:
    call = a_call(arguments={"note": TEXT, "keys": {TOKEN: 1}}, target_label=TEXT)
    append_rows("default", [event_row(call, actor=TEXT, note=TEXT, result=Result.SUCCEEDED)])
    row = AuditEvent.objects.get()
    assert (row.actor, row.note, row.target_label) == (MASKED, MASKED, MASKED)
    assert SECRET not in repr(row.arguments)
    assert_holds(row)


def test_the_chain_is_over_what_is_stored_where_a_hidden_character_ends_a_mask(database: RecordDatabase) -> None:
    for space in ("\f", "\v", "\x1c", "\u2028"):
        hidden = f"hsk_{space}abc {TOKEN}{space}abc"
        append_rows(
            "default", [event_row(a_call(target_id=hidden), actor=hidden, note=hidden, result=Result.SUCCEEDED)]
        )
    assert {row.note for row in AuditEvent.objects.all()} == {f"hsk_•••• {PREFIX}_••••"}
    assert verify_stored(is_anchored=False).is_ok


def assert_holds(row: AuditEvent) -> None:
    """The row's hash is that of what the database gives back."""
    columns = {column.attname: getattr(row, column.attname) for column in AuditEvent._meta.fields}
    assert row.previous_hash == genesis(row.org_id).hash
    assert row.hash == row_hash(canonical(facts(columns)), row.previous_hash)
