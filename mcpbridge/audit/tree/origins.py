"""The origin: the name of one log, `<log name>/<workspace, percent-encoded>/<epoch>`.

Behind the epoch stands `-from-<sequence>` if the rows before that one were pruned before the tree began.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from mcpbridge.audit.tree.encoding import decimal
from mcpbridge.audit.tree.errors import FormatError

MOST_BYTES = 255
_LOG_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._~:%/-]*")
_EPOCH = re.compile(r"([0-9]+)(?:-from-([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Origin:
    """The parts of an origin. `first` is the sequence of the row that is leaf 0."""

    log_name: str
    workspace: str
    epoch: int = 1
    first: int = 1

    def __post_init__(self) -> None:
        """Refuse parts of which no origin can be made. Raises FormatError."""
        if not _LOG_NAME.fullmatch(self.log_name) or self.log_name.endswith("/"):
            raise FormatError("it is not the name of a log")
        if not self.workspace or self.epoch < 1 or self.first < 1:
            raise FormatError("it is not the origin of a log")
        if len(str(self)) > MOST_BYTES:
            raise FormatError("the origin is longer than 255 bytes")

    def __str__(self) -> str:
        begin = "" if self.first == 1 else f"-from-{self.first}"
        return f"{self.log_name}/{quote(self.workspace, safe='')}/{self.epoch}{begin}"

    @classmethod
    def parse(cls, text: str) -> "Origin":
        """Read an origin. Raises FormatError."""
        parts = text.rsplit("/", 2)
        found = _EPOCH.fullmatch(parts[-1])
        if len(parts) != 3 or found is None:
            raise FormatError("it is not the origin of a log")
        made = cls(parts[0], unquote(parts[1]), decimal(found[1]), decimal(found[2]) if found[2] else 1)
        if str(made) != text:
            raise FormatError("it is not the origin of a log")
        return made

    def index_of(self, sequence: int) -> int:
        """Return the index of the leaf of a row."""
        return sequence - self.first
