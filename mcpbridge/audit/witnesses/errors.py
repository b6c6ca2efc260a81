"""Why a witness did not cosign a checkpoint."""

from enum import StrEnum


class RefusalKind(StrEnum):
    """`behind` and `changed` are findings about our log, `configuration` is for the operator, `unavailable` passes."""

    BEHIND = "behind"
    CHANGED = "changed"
    CONFIGURATION = "configuration"
    UNAVAILABLE = "unavailable"


class NotCosignedError(Exception):
    """A witness did not cosign. The text may be shown to users."""

    def __init__(self, kind: RefusalKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
