"""Reproducible random choices."""

import random
import uuid
from datetime import datetime, timedelta


class SeededRandom(random.Random):
    """A random generator seeded with the name of its purpose."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"northwind {purpose}")

    def uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4)."""
        return uuid.UUID(int=self.getrandbits(128), version=4)

    def moment(self, day: datetime, *, first_hour: int = 8, last_hour: int = 17) -> datetime:
        """Return a random instant of that day within working hours."""
        start = day.replace(hour=first_hour, minute=0, second=0, microsecond=0)
        return start + timedelta(seconds=self.randrange((last_hour - first_hour) * 3600))
