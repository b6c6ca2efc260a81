"""A clock that the tests of the audit log set."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time as the console sees it; the test sets it."""
    now = [datetime(2026, 11, 23, 10, tzinfo=UTC)]
    monkeypatch.setattr(timezone, "now", lambda: now[0])
    return now
