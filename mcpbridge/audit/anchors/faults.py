"""What an anchor says against the database: a history that was changed, or that lacks its end."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

# Stands for the workspace in a finding about a file that cannot be read.
NODE = ""


class FaultKind(StrEnum):
    """`changed`: another history than the one that was signed. `behind`: the end of it is missing."""

    CHANGED = "changed"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class AnchorFault:
    """A finding about one workspace's log; `at` is when it was found. The reason may be shown to operators."""

    kind: FaultKind
    workspace: str
    reason: str
    at: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as the alarm line that log destinations and the log of the server get."""
        return {"type": "alarm", **asdict(self)}
