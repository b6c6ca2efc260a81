"""Argument types of several commands."""

from datetime import UTC, datetime


def instant(text: str) -> datetime:
    """Parse an ISO 8601 date or instant; without a zone it is UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
