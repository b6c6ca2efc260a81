"""A use of the old token of a rotation."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Use of the old token by an assistant, identified by its connection or else by its reported name."""

    connection: str
    client_name: str
    last_used_at: datetime

    @property
    def key(self) -> tuple[str, str]:
        """Identity of the assistant: its connection if it has one, else its reported name."""
        return (self.connection, "") if self.connection else ("", self.client_name)
