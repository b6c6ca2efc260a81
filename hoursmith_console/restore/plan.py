"""Plan a restore from an audit entry: what is sent, what comes back, what does not and why.

Everything follows from the declaration of the tool (`mcpbridge.tools.undo`) and the snapshot in the entry.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hoursmith_console.core.record_fields import label_of
from hoursmith_console.workspaces.models import Member
from mcpbridge.calls.errors import MESSAGES
from mcpbridge.core.sanitize import why_incomplete
from mcpbridge.models import AuditEvent
from mcpbridge.tools import TOOLS, UNDOS, Tool, Undo

_NOT_IN_SNAPSHOT = "It is not in the snapshot."
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that does not come back, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore of one destructive call would do.

    `arguments` are those of the tool that undoes it. `refusal` says why nothing can be restored; `owner` names the
    member who alone can restore it, if that is not the viewer.
    """

    undo: Undo
    intent: AuditEvent
    arguments: dict[str, Any] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    refusal: str = ""
    owner: str = ""

    @property
    def tool(self) -> Tool:
        """The tool that undoes the call."""
        return TOOLS[self.undo.by]

    @property
    def noun(self) -> str:
        """The type of the record in words."""
        return self.tool.target_type.replace("_", " ")

    @property
    def labels(self) -> list[str]:
        """The fields that come back, in words."""
        return [label_of(name) for name in self.arguments if name != "id"]

    @property
    def request_text(self) -> str:
        """The request to an assistant that does the same."""
        named = f" “{self.intent.target_label}”" if self.intent.target_label else ""
        what = f"Create the {self.noun}{named} again" if self.undo.creates else f"Unarchive the {self.noun}{named}"
        arguments = json.dumps(self.arguments, ensure_ascii=False)
        return f"{what} in Hoursmith. Call {self.tool.name} once, with exactly these arguments: {arguments}"


def plan_restore(intent: AuditEvent, member: Member) -> RestorePlan:
    """Plan the restore of the destructive call `intent`, done by `member`."""
    undo = UNDOS[intent.tool]
    return _new_record(undo, intent, member) if undo.creates else _same_record(undo, intent)


def _same_record(undo: Undo, intent: AuditEvent) -> RestorePlan:
    # Without a snapshot as well: the id is all that is needed.
    before = intent.snapshot if isinstance(intent.snapshot, dict) else {}
    sets = {**undo.sets, **{name: before[name] for name in undo.as_before if before.get(name)}}
    losses = [Loss(label_of(name), why) for name, why in undo.lost.items() if before.get(name) != sets.get(name, "")]
    unknown = [name for name in undo.as_before if not before.get(name)]
    losses += [Loss(label_of(name), f"{_NOT_IN_SNAPSHOT} It becomes {undo.sets[name]}.") for name in unknown]
    return _checked(RestorePlan(undo, intent, {"id": intent.target_id, **sets}, (*losses, *_beyond(undo))))


def _new_record(undo: Undo, intent: AuditEvent, member: Member) -> RestorePlan:
    snapshot = intent.snapshot
    if not isinstance(snapshot, dict):
        why = MESSAGES.get(intent.snapshot_fault, "the record could not be read.")
        reason = "snapshots were off." if intent.snapshot_fault == "switched_off" else why
        return RestorePlan(undo, intent, refusal=f"There is no snapshot of the record: {reason}")
    arguments, losses = {}, [*_lost(undo, snapshot)]
    for name in _restorable(undo):
        if name in snapshot and snapshot[name] in _EMPTY:
            continue
        if why := _why_not(undo, name, snapshot):
            losses.append(Loss(label_of(name), why))
        else:
            arguments[name] = snapshot[name]
    plan = _checked(RestorePlan(undo, intent, arguments, (*losses, *_beyond(undo))))
    return _for(member, plan, snapshot) if undo.owner and not plan.refusal else plan


def _restorable(undo: Undo) -> list[str]:
    """Return the fields of the record that the tool `by` can set."""
    tool = TOOLS[undo.by]
    return [name for name in record_fields(undo) if name in tool.arguments]


def record_fields(undo: Undo) -> list[str]:
    """Return the fields of the record, as the API shows it."""
    return list(TOOLS[undo.by].output_schema["properties"]["data"]["properties"])


def _lost(undo: Undo, snapshot: dict[str, Any]) -> Iterator[Loss]:
    for name, why in undo.lost.items():
        if snapshot.get(name, "unknown") not in _EMPTY:
            yield Loss(label_of(name), why)
    for name in snapshot:
        if name not in record_fields(undo) and not why_incomplete(name):
            yield Loss(label_of(name), "The API has no argument for it.")


def _beyond(undo: Undo) -> list[Loss]:
    return [Loss(label_of(what), why) for what, why in undo.beyond.items()]


def _why_not(undo: Undo, name: str, snapshot: dict[str, Any]) -> str:
    """Return why the field cannot be restored from the snapshot; empty if it can."""
    if name not in snapshot:
        return _NOT_IN_SNAPSHOT
    if name in undo.only_with and snapshot.get(undo.only_with[name][0]) in _EMPTY:
        return undo.only_with[name][1]
    why = why_incomplete(snapshot[name])
    return f"It was {why}." if why else ""


def _checked(plan: RestorePlan) -> RestorePlan:
    """Leave out what the API would refuse, or refuse the plan if it is required."""
    found = plan.tool.faults(plan.arguments)
    wrong = {name.partition("[")[0]: why for name, why in found.items()}
    optional = {name: why for name, why in wrong.items() if name in plan.arguments and name not in plan.tool.required}
    arguments = {name: value for name, value in plan.arguments.items() if name not in optional}
    losses = [Loss(label_of(name), f"The API would refuse it: {why}.") for name, why in optional.items()]
    missing = plan.tool.faults(arguments)
    refusal = ""
    if missing:
        names = ", ".join(label_of(name.partition("[")[0]) for name in missing)
        refusal = f"The {plan.noun} cannot be restored, because the snapshot does not hold what it needs: {names}."
    return RestorePlan(plan.undo, plan.intent, arguments, (*losses, *plan.losses), refusal)


def _for(member: Member, plan: RestorePlan, snapshot: dict[str, Any]) -> RestorePlan:
    """Name the owner of the record if it is another member."""
    owner = snapshot.get(plan.undo.owner)
    if owner == member.user_ref:
        return plan
    if not isinstance(owner, str) or why_incomplete(owner):
        refusal = f"The snapshot does not say whose {plan.noun} it was."
        return RestorePlan(plan.undo, plan.intent, plan.arguments, plan.losses, refusal)
    named = Member.objects.filter(workspace_id=member.workspace_id, user_ref=owner).values_list("name", flat=True)
    who = named.first() or "a member who is not known here"
    return RestorePlan(plan.undo, plan.intent, plan.arguments, plan.losses, owner=who)
