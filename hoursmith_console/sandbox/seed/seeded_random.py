"""SeededRandom that falls the same way every time."""

import random
import uuid
from datetime import datetime, timedelta


class SeededRandom(random.Random):
    """Random choices that depend on the name of what they are for alone."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"northwind {purpose}")

    def uuid(self) -> uuid.UUID:
        """A random UUID (version 4)."""
        return uuid.UUID(int=self.getrandbits(128), version=4)

    def moment(self, day: datetime, *, first_hour: int = 8, last_hour: int = 17) -> datetime:
        """An instant of that day within working hours."""
        start = day.replace(hour=first_hour, minute=0, second=0, microsecond=0)
        return start + timedelta(seconds=self.randrange((last_hour - first_hour) * 3600))
