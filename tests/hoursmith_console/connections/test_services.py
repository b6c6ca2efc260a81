"""Connections are made, changed and removed on record, or not at all."""

import pytest

from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import (
    UnknownClientError,
    change_connection,
    create_connection,
    remove_connection,
)
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent, ObservedConnection
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.connections.conftest import Connect


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-sequence")[0]


def test_a_new_connection_is_known_to_the_bridge_and_on_record(cast: Cast, connect: Connect) -> None:
    made = connect("member", label="Laptop")
    assert ObservedConnection.objects.get(slug=made.slug).org_id == cast.org_id
    row = last_event()
    assert (row.tool, row.actor, row.target_id) == (
        "console.connection_create",
        "Member Person <member@example.com>",
        made.slug,
    )
    assert row.arguments == {"for": row.actor, "client": "claude-code", "access": "full"}


def test_only_what_changes_is_recorded(cast: Cast, connect: Connect) -> None:
    made = connect("member", label="Laptop")
    actor = cast.people["member"].display_identity
    assert not change_connection(connection=made, label="Laptop", access="full", actor=actor)
    assert change_connection(connection=made, label="Old laptop", access="full", actor=actor)
    assert last_event().arguments == {"label": "Laptop → Old laptop"}
    assert Connection.objects.get().label == "Old laptop"


def test_a_connection_is_removed_once_and_stays_for_history(cast: Cast, connect: Connect) -> None:
    made = connect("member")
    actor = cast.people["owner"].display_identity
    assert remove_connection(connection=made, actor=actor)
    assert not remove_connection(connection=made, actor=actor)
    assert Connection.objects.get().removed_at is not None
    assert [row.tool for row in AuditEvent.objects.order_by("sequence")] == [
        "console.connection_create",
        "console.connection_remove",
    ]


@pytest.mark.parametrize("client", ["", "telnet"])
def test_a_client_that_nobody_knows_is_not_connected(connect: Connect, client: str) -> None:
    with pytest.raises(UnknownClientError):
        connect("member", client=client)
    assert not ObservedConnection.objects.exists()


def test_nobody_owns_a_connection_of_another_workspace(cast: Cast) -> None:
    with pytest.raises(ValueError, match="own workspace"):
        create_connection(
            workspace=cast.other,
            owner=cast.people["member"],
            client="cursor",
            label="x",
            access="full",
            actor="x",
        )


def test_without_a_record_nothing_happens(cast: Cast, connect: Connect, request: pytest.FixtureRequest) -> None:
    made = connect("member", label="Laptop")
    request.getfixturevalue("audit_unavailable")
    actor = cast.people["member"].display_identity
    with pytest.raises(AuditUnavailableError):
        connect("member")
    with pytest.raises(AuditUnavailableError):
        change_connection(connection=made, label="Other", access="full", actor=actor)
    with pytest.raises(AuditUnavailableError):
        remove_connection(connection=made, actor=actor)
    there = Connection.objects.get()
    assert (there.label, there.removed_at) == ("Laptop", None)
    assert ObservedConnection.objects.count() == 1
