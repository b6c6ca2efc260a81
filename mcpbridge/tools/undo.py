"""Declare how a destructive tool is undone: by which other tool, and what does not come back.

Two kinds. An archived record is brought back: one field is set, and the record is the same as before. A deleted record
is created again from its snapshot: a new record with the same fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Fields of a record that are the same in a new one, or that only an archived one has.
SAME_IN_NEW = ("orgId", "deletedAt")
_NEW_TIME = "Hoursmith sets it to the time of the restore."
# What every new record lacks.
NEW_RECORD: Mapping[str, str] = MappingProxyType(
    {
        "id": "Hoursmith gives the new record an id of its own. Links with the old id stay broken.",
        "createdAt": _NEW_TIME,
        "updatedAt": _NEW_TIME,
    }
)
SAME_RECORD: Mapping[str, str] = MappingProxyType({"updatedAt": _NEW_TIME})
UNSEEN = "What the API does not return, such as attachments or history, was not in the snapshot."


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How the console undoes the destructive tool `tool`, with one call of the tool `by`.

    `lost` are the fields of the record that do not come back, each with the reason; `beyond` is what else does not.
    `sets` are the fields that bring an archived record back; empty for a deleted one. Those in `as_before` get the
    value of the snapshot, if it is known. `only_with` are fields that are left out if another one is empty, with that
    field and the reason. `owner` is the field that says whose record it is, if the new record
    would belong to the member who restores it.
    """

    tool: str
    by: str
    lost: Mapping[str, str]
    beyond: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    as_before: tuple[str, ...] = ()
    only_with: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    owner: str = ""
    # What to do after a 404 or 409 of Hoursmith, or a 422 about one of these fields.
    advice: Mapping[str, str] = field(default_factory=dict)

    @property
    def creates(self) -> bool:
        """Return whether a new record is created; otherwise the same one comes back."""
        return not self.sets
