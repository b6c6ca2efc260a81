"""Connections of the page tests' cast, and what the bridge would have seen of them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import create_connection
from mcpbridge.models import ObservedConnection
from tests.hoursmith_console.conftest import Cast

Connect = Callable[..., Connection]


@pytest.fixture
def connect(cast: Cast) -> Connect:
    """Makes a connection of somebody of the cast."""

    def made(name: str, *, client: str = "claude-code", label: str = "", access: str = "full") -> Connection:
        owner = cast.people[name]
        return create_connection(
            workspace=owner.workspace,
            owner=owner,
            client=client,
            label=label or f"Claude Code of {name}",
            access=access,
            actor=owner.display_identity,
        )

    return made


def saw(connection: Connection, *, ago: timedelta = timedelta(seconds=2), **more: Any) -> ObservedConnection:
    """What the bridge's row becomes with an accepted call."""
    at = timezone.now() - ago
    columns = {
        "env": "live",
        "role": "MANAGER",
        "client_name": "Claude Code",
        "client_version": "2.1",
        "protocol": "2026-07-28",
        "transport": "http",
        "last_method": "get_me",
        "last_status": 200,
        "calls": 1,
        "first_seen_at": at,
        "last_seen_at": at,
        "called_at": at,
        **more,
    }
    ObservedConnection.objects.filter(slug=connection.slug).update(**columns)
    return ObservedConnection.objects.get(slug=connection.slug)


def refused(connection: Connection, fault: str, *, ago: timedelta = timedelta(seconds=1), **more: Any) -> None:
    """What the bridge's row becomes with a refused request."""
    at = timezone.now() - ago
    ObservedConnection.objects.filter(slug=connection.slug).update(fault=fault, fault_at=at, **more)
