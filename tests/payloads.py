"""One example of each thing that may be done to a chain of eight rows with checkpoints at 2, 4, 6 and 8."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification import Checkpoint, Event, Record
from tests.audit_chains import STRANGER, WORKSPACE, a_chain, a_checkpoint, a_key, changed, head_of, rows_behind

LENGTH = 8
SIGNED = (2, 4, 6, 8)


@dataclass
class Attack:
    """What is left of the chain, and what a verifier must say of it."""

    records: list[Record]
    kind: str
    sequence: int
    id: str | None = None


def untouched() -> list[Record]:
    """The chain before anybody did anything."""
    return a_chain(LENGTH, SIGNED)


def _events(records: list[Record]) -> list[Event]:
    return [record for record in records if isinstance(record, Event)]


def _place(records: list[Record], number: int) -> int:
    return next(n for n, each in enumerate(records) if isinstance(each, Event) and each.sequence == number)


def _edited() -> Attack:
    records = untouched()
    where = _place(records, 5)
    records[where] = bad = changed(_events(records)[4], role="MEMBER")
    return Attack(records, "edited", 5, bad.id)


def _removed() -> Attack:
    records = untouched()
    del records[_place(records, 5)]
    return Attack(records, "removed", 5)


def _inserted() -> Attack:
    records = untouched()
    where = _place(records, 5)
    strange = rows_behind(head_of(_events(records)[3]), 1, tool="get_me")[0]
    strange.hash = "ab" * 32
    return Attack([*records[:where], strange, *records[where:]], "inserted", 5, strange.id)


def _reordered() -> Attack:
    records = untouched()
    one, two = _place(records, 3), _place(records, 7)
    records[one], records[two] = records[two], records[one]
    return Attack(records, "reordered", 3, _events(untouched())[6].id)


def _cut() -> Attack:
    records = untouched()
    kept = [each for each in records if not isinstance(each, Event) or each.sequence < 7]
    return Attack(kept, "cut-tail", 7)


def _replaced() -> Attack:
    chain = _events(untouched())
    rewritten = rows_behind(head_of(chain[4]), 3, tool="get_me")
    records: list[Record] = [
        rewritten[each.sequence - 6] if isinstance(each, Event) and each.sequence > 5 else each for each in untouched()
    ]
    return Attack(records, "replaced", 5, chain[4].id)


def _forked() -> Attack:
    records = untouched()
    where = _place(records, 5)
    branch = rows_behind(head_of(_events(records)[3]), 1, tool="get_me")[0]
    return Attack([*records[: where + 1], branch, *records[where + 1 :]], "forked", 5, branch.id)


def _genesis() -> Attack:
    strange = rows_behind(genesis("org-2"), LENGTH)
    return Attack([a_key(), *strange], "other-genesis", 1, strange[0].id)


def _wrong_key() -> Attack:
    chain = _events(untouched())
    records: list[Record] = [
        a_checkpoint(head_of(chain[each.sequence - 1]), key=STRANGER) if isinstance(each, Checkpoint) else each
        for each in untouched()
    ]
    return Attack([a_key(STRANGER), *records], "unknown-key", 2)


ATTACKS: dict[str, Callable[[], Attack]] = {
    "edit": _edited,
    "delete": _removed,
    "insert": _inserted,
    "swap": _reordered,
    "cut": _cut,
    "replace": _replaced,
    "fork": _forked,
    "genesis swap": _genesis,
    "key swap": _wrong_key,
}


def first_bad(verdict: dict[str, Any]) -> tuple[Any, ...]:
    """What a verdict names, to be compared with an attack."""
    bad = verdict["bad"]
    return bad["kind"], bad["workspace"], bad["sequence"], bad["id"]


def expected(attack: Attack) -> tuple[Any, ...]:
    return attack.kind, WORKSPACE, attack.sequence, attack.id
