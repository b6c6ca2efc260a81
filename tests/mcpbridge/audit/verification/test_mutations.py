"""Every way to tamper with a chain, at random places: both verifiers agree and name the first bad row."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mcpbridge.audit.hashchain import FACTS, Head, genesis
from mcpbridge.audit.verification import Checkpoint, Event, Record
from tests.audit_chains import (
    STRANGER,
    WORKSPACE,
    a_chain,
    a_checkpoint,
    a_key,
    an_event,
    changed,
    head_of,
    rehashed,
    rows_behind,
    sorted_records,
)
from tests.generated import examples
from tests.verifiers import finding_in

many = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Story:
    """An intact chain, and what is needed to change it. `first` is its first row that is there."""

    rows: list[Event]
    signed: list[int]
    cut: int
    random: st.DataObject
    whole: list[Event] = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.cut + 1

    @property
    def last(self) -> int:
        return self.cut + len(self.rows)

    def pick(self, lowest: int, highest: int) -> int:
        return self.random.draw(st.integers(lowest, highest))

    def row(self, number: int) -> Event:
        return self.rows[number - self.first]

    def head(self, number: int) -> Head:
        return genesis(WORKSPACE) if number == 0 else head_of(self.whole[number - 1])

    def vouched(self, before: int) -> int:
        """The last row below `before` that a checkpoint names, 0 where none does."""
        return max((place for place in self.signed if self.cut < place < before), default=0)

    def next_signed(self, number: int) -> int | None:
        return next((place for place in self.signed if place >= number), None)

    def records(self, rows: list[Event], *, in_order: bool = False, signed: list[int] | None = None) -> list[Record]:
        """The chain with other rows: where they were put (as in a changed file), or by their numbers (a database)."""
        chain = a_chain(0, cut=self.cut, rows=self.whole[: self.cut])
        checkpoints = [a_checkpoint(self.head(place)) for place in (self.signed if signed is None else signed)]
        if in_order:
            return [*chain, *sorted_records([*rows, *checkpoints])]
        made: list[Record] = list(rows)
        for checkpoint in reversed(checkpoints):
            genuine = [n for n, row in enumerate(made) if isinstance(row, Event) and row.hash == checkpoint.hash]
            upto = [n for n, row in enumerate(made) if isinstance(row, Event) and row.sequence <= checkpoint.sequence]
            made.insert(max(genuine or upto, default=-1) + 1, checkpoint)
        return [*chain, *made]


@st.composite
def stories(draw: st.DrawFn, least: int = 1) -> Story:
    # Now and then longer than what the verifiers remember of a chain.
    length = draw(st.integers(least, 14) if draw(st.integers(0, 29)) else st.integers(257, 270))
    cut = draw(st.sampled_from([0, 0, 1, 3]))
    whole = rows_behind(genesis(WORKSPACE), cut + length, note=draw(st.text(max_size=3)))
    signed = sorted(draw(st.lists(st.integers(0, cut + length), max_size=4)))
    return Story(whole[cut:], signed, cut, draw(st.data()), whole)


def found(records: list[Record], **more: Any) -> tuple[Any, ...] | None:
    bad = finding_in(records, **more)
    return bad and (bad["kind"], bad["sequence"], bad["id"])


@many
@given(stories(least=0))
def test_a_chain_that_nobody_touched_holds(story):
    signed = sorted({*story.signed, story.last})
    records = story.records(story.rows, signed=signed)
    assert records == story.records(story.rows, in_order=True, signed=signed)
    head = story.head(story.last)
    kept = story.head(story.pick(story.cut, story.last))
    for told in ("", head.hash, f"{head.sequence}:{head.hash}", f"{kept.sequence}:{kept.hash}", kept.hash):
        assert finding_in(records, head=told) is None


OTHER_VALUES: dict[str, Any] = {
    "arguments": {"id": "other"},
    "snapshot": {"rate": "0.01"},
    "status": 500,
    "duration_ms": 0.125,
    "sequence": 10_000,
}


@many
@given(stories(), st.sampled_from(sorted({*FACTS, "format"})))
def test_an_edited_fact(story, name):
    number = story.pick(story.first, story.last)
    edited = changed(story.row(number), **{name: OTHER_VALUES.get(name, "other")})
    rows = [edited if row is story.row(number) else row for row in story.rows]
    assert found(story.records(rows)) == ("edited", number, edited.id)


@many
@given(stories(), st.sampled_from(["hash", "previous_hash"]), st.sampled_from(["0" * 64, "", "F" * 64, "zz"]))
def test_an_edited_hash(story, name, value):
    number = story.pick(story.first, story.last)
    edited = changed(story.row(number))
    setattr(edited, name, value)
    rows = [edited if row is story.row(number) else row for row in story.rows]
    assert found(story.records(rows)) == ("edited", number, edited.id)


@many
@given(stories(least=2))
def test_an_edited_row_that_was_given_its_new_hash(story):
    number = story.pick(story.first, story.last - 1)
    edited = rehashed(changed(story.row(number), role="MEMBER"))
    rows = [edited if row is story.row(number) else row for row in story.rows]
    assert found(story.records(rows, in_order=True)) == ("edited", number, edited.id)


@many
@given(stories(least=2), st.booleans())
def test_removed_rows(story, are_renumbered):
    first = story.pick(story.first, story.last - 1)
    last = story.pick(first, story.last - 1)
    rows = [row for row in story.rows if not first <= row.sequence <= last]
    if are_renumbered:
        gap = last - first + 1
        rows = [changed(row, sequence=row.sequence - gap) if row.sequence > last else row for row in rows]
    bad = finding_in(story.records(rows, in_order=True))
    assert bad is not None
    assert (bad["kind"], bad["sequence"], bad["id"], bad["until"]) == ("removed", first, None, last)


@many
@given(stories(), st.integers(1, 3))
def test_rows_inserted_properly_hashed_with_all_later_rows_renumbered(story, count):
    place = story.pick(story.first, story.last)
    strange = rows_behind(story.head(place - 1), count, tool="get_me")
    shifted = [changed(row, sequence=row.sequence + count) for row in story.rows if row.sequence >= place]
    rows = [*(row for row in story.rows if row.sequence < place), *strange, *shifted]
    assert found(story.records(rows, in_order=True)) == ("inserted", place, strange[0].id)


@many
@given(stories(), st.sampled_from(["unhashed", "unlinked", "far ahead"]))
def test_an_inserted_row_that_belongs_nowhere(story, how):
    place = story.pick(story.first, story.last)
    strange = an_event(story.head(place - 1), tool="get_me")
    if how == "unhashed":
        strange.hash = "ab" * 32
    if how == "unlinked":
        strange = rehashed(strange, "ab" * 32)
    if how == "far ahead":
        strange = rehashed(changed(strange, sequence=story.last + story.pick(1, 9)), "ab" * 32)
    rows = [*story.rows[: place - story.first], strange, *story.rows[place - story.first :]]
    assert found(story.records(rows)) == ("inserted", place, strange.id)


@many
@given(stories())
def test_a_row_that_was_inserted_a_second_time(story):
    copied = story.row(story.pick(story.first, story.last))
    place = story.pick(story.first, story.last + 1)
    rows = [*story.rows[: place - story.first], changed(copied), *story.rows[place - story.first :]]
    # Directly in front of itself, a row is the right one and the genuine one behind it is the second.
    bad_place = place + 1 if place == copied.sequence else place
    assert found(story.records(rows)) == ("inserted", bad_place, copied.id)


@many
@given(stories(least=2), st.booleans())
def test_two_rows_that_changed_places(story, with_their_numbers):
    first = story.pick(story.first, story.last - 1)
    second = story.pick(first + 1, story.last)
    one, two = story.row(first), story.row(second)
    if with_their_numbers:
        one, two = changed(one, sequence=second), changed(two, sequence=first)
    swapped = {first: two, second: one}
    rows = [swapped.get(row.sequence, row) for row in story.rows]
    assert found(story.records(rows, in_order=with_their_numbers)) == ("reordered", first, two.id)


@many
@given(stories())
def test_a_tail_that_was_cut(story):
    first = story.pick(story.first, story.last)
    rows = [row for row in story.rows if row.sequence < first]
    end = story.head(story.last)
    cut_tail = ("cut-tail", first, None)
    if story.next_signed(first):
        assert found(story.records(rows, in_order=True)) == cut_tail
    without = [place for place in story.signed if place < first]
    # The cut does not show; what is left must be signed up to its end all the same.
    unsigned = found(story.records(rows, signed=without))
    assert unsigned is None or unsigned[0] == "unsigned"
    assert found(story.records(rows, signed=without), head=end.hash) == cut_tail
    assert found(story.records(rows, signed=without), head=f"{end.sequence}:{end.hash}") == cut_tail


@many
@given(stories(), st.booleans())
def test_a_chain_that_was_replaced_from_a_row_on(story, against_a_head):
    first = story.pick(story.first, story.last)
    rewritten = rows_behind(story.head(first - 1), story.last - first + 1 + story.pick(0, 2), tool="get_me")
    rows = [*(row for row in story.rows if row.sequence < first), *rewritten]
    signed = [place for place in story.signed if place < first] if against_a_head else story.signed
    disagreeing = story.last if against_a_head else story.next_signed(first)
    assume(disagreeing is not None)
    assert disagreeing is not None
    bad = finding_in(
        story.records(rows, in_order=True, signed=signed),
        head=f"{story.last}:{story.head(story.last).hash}" if against_a_head else "",
    )
    assert bad is not None
    start = max(story.vouched(first), story.cut) + 1
    there = next(row.id for row in rows if row.sequence == start)
    assert (bad["kind"], bad["sequence"], bad["id"], bad["until"]) == ("replaced", start, there, disagreeing)


@many
@given(stories(), st.integers(1, 3), st.booleans())
def test_a_fork(story, length, is_first):
    place = story.pick(story.first, story.last)
    branch = rows_behind(story.head(place - 1), length, tool="get_me")
    genuine = story.row(place)
    around = [[branch[0], genuine], [genuine, branch[0]]][not is_first]
    rows = [*(row for row in story.rows if row.sequence < place), *around, *branch[1:]]
    rows += [row for row in story.rows if row.sequence > place]
    goes_on = place < story.last or place in story.signed
    both = goes_on and length > 1
    second = around[1].id
    bad_one = second if both or not goes_on else branch[0].id
    if not goes_on and length > 1:
        bad_one = genuine.id
    assert found(story.records(rows, in_order=True)) == ("forked", place, bad_one)


@many
@given(stories(), st.booleans())
def test_the_genesis_of_another_workspace(story, is_known):
    assume(story.cut == 0)
    strange = rows_behind(genesis("org-2"), len(story.rows))
    known = [WORKSPACE, "org-2"] if is_known else [WORKSPACE]
    assert found(story.records(strange), workspaces=known) == ("other-genesis", 1, strange[0].id)
    relabelled = [changed(row, workspace=WORKSPACE) for row in rows_behind(genesis("org-2"), 3, "org-2")]
    for row in relabelled:
        row.workspace = WORKSPACE
    kind = "other-genesis" if is_known else "edited"
    assert found(story.records(relabelled, signed=[]), workspaces=known) == (kind, 1, relabelled[0].id)


@many
@given(stories(), st.booleans())
def test_checkpoints_by_another_key(story, is_listed):
    assume(story.signed)
    first = story.pick(0, len(story.signed) - 1)
    records: list[Record] = [a_key(STRANGER)] if is_listed else []
    number = -1
    for record in story.records(story.rows):
        if isinstance(record, Checkpoint) and not record.is_cut:
            number += 1
            if number >= first:
                record = a_checkpoint(Head(record.sequence, record.hash), key=STRANGER)
        records.append(record)
    assert found(records) == ("unknown-key", story.signed[first], None)


@many
@given(stories(), st.sampled_from(["hash", "at", "key_id", "signature", "workspace"]), st.booleans())
def test_an_edited_checkpoint_or_cut(story, name, is_cut):
    records = story.records(story.rows)
    chosen = [each for each in records if isinstance(each, Checkpoint) and each.is_cut is is_cut]
    assume(chosen)
    checkpoint = chosen[story.pick(0, len(chosen) - 1)]
    values = {"hash": "ab" * 32, "key_id": STRANGER.key_id, "signature": "AAAA", "at": "2026-01-01T00:00:00.000000Z"}
    if name == "workspace":
        checkpoint.workspace = "org-2"
        records = [a_key(), checkpoint]
        assert found(records, workspaces=["org-2"]) == ("wrong-key", checkpoint.sequence, None)
        return
    setattr(checkpoint, name, values[name])
    bad = finding_in(records)
    assert bad is not None
    kind = "unknown-key" if name == "key_id" else "wrong-key"
    assert (bad["kind"], bad["sequence"], bad["id"]) == (kind, checkpoint.sequence, None)
    assert bad["record"] == ("cut" if is_cut else "checkpoint")


@many
@given(stories(least=1))
def test_a_checkpoint_that_was_moved_to_another_line_or_number(story):
    assume(story.signed and story.signed[-1] > story.cut)
    records = story.records(story.rows, in_order=True)
    checkpoint = next(each for each in reversed(records) if isinstance(each, Checkpoint) and not each.is_cut)
    others = [each for each in records if each is not checkpoint]
    places = [number for number, each in enumerate(others) if isinstance(each, Event)]
    moved = story.random.draw(st.sampled_from(places))
    if others[moved].sequence > checkpoint.sequence:
        moved += 1
    moved_to = [*others[:moved], checkpoint, *others[moved:]]
    assert found(moved_to) == ("reordered", checkpoint.sequence, None)
    checkpoint.sequence += 1
    assert found(sorted_again(records)) == ("wrong-key", checkpoint.sequence, None)


def sorted_again(records: list[Record]) -> list[Record]:
    beginning = [each for each in records if not isinstance(each, Event | Checkpoint) or getattr(each, "rows", None)]
    rest = [each for each in records if isinstance(each, Event | Checkpoint) and each not in beginning]
    return [*beginning, *sorted_records(rest)]


@pytest.mark.parametrize("length", [1, 300, 600])
def test_rows_inserted_beyond_what_is_remembered_are_found_all_the_same(length):
    """With more rows inserted than are remembered, the row behind them is the first that is proved to be wrong."""
    chain = rows_behind(genesis(WORKSPACE), 3)
    strange = rows_behind(head_of(chain[0]), length, tool="get_me")
    shifted = [changed(row, sequence=row.sequence + length) for row in chain[1:]]
    bad = finding_in(a_chain(0, rows=[chain[0], *strange, *shifted]))
    assert bad is not None
    assert bad["kind"] == "inserted"
    assert bad["sequence"] == (2 if length == 1 else length + 2)
