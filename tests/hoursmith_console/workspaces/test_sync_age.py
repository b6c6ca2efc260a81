"""When the members were last compared with Hoursmith, and who is told that it is overdue."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from hoursmith_console.ops.metrics import HELP
from hoursmith_console.workspaces.member_sync import sync_members
from hoursmith_console.workspaces.models import Workspace
from hoursmith_console.workspaces.sync_age import count_overdue_syncs
from mcpbridge.audit.errors import AuditUnavailableError
from tests.hoursmith_console.conftest import Cast

Browse = Callable[[str], Client]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("hosted")]

OVERDUE = "Those who left since then can still open their pages here"
ITEM = "Members not compared with Hoursmith"
OWNER = {"id": "m-1", "userId": "u-1", "name": "Ana", "email": "ana@acme.example", "role": "OWNER"}


@pytest.fixture
def hosted() -> Any:
    with override_settings(SANDBOX_MODE=False):
        yield


def compared(cast: Cast, *, days: float) -> None:
    Workspace.objects.update(members_synced_at=timezone.now())
    Workspace.objects.filter(pk=cast.workspace.pk).update(members_synced_at=timezone.now() - timedelta(days=days))


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_who_reviews_is_told_that_it_is_overdue_and_what_to_run(cast: Cast, browse: Browse, name: str) -> None:
    compared(cast, days=6.9)
    page = browse(name).get("/members/").content.decode()
    assert OVERDUE not in page
    assert "last compared" in page
    assert ITEM not in browse(name).get("/").content.decode()
    assert count_overdue_syncs("default") == 0
    compared(cast, days=7.1)
    page = browse(name).get("/members/").content.decode()
    assert OVERDUE in page
    assert "members_sync</code>" in page
    assert ITEM in browse(name).get("/").content.decode()
    assert count_overdue_syncs("default") == 1


@pytest.mark.parametrize("name", ["manager", "member", "outsider"])
def test_nobody_else_is_told(cast: Cast, browse: Browse, name: str) -> None:
    compared(cast, days=30)
    for address in ("/members/", "/"):
        page = browse(name).get(address).content.decode()
        assert OVERDUE not in page
        assert ITEM not in page


def test_one_that_was_never_compared_is_overdue_by_its_own_age(cast: Cast, browse: Browse) -> None:
    Workspace.objects.update(members_synced_at=None)
    assert count_overdue_syncs("default") == 0
    Workspace.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert count_overdue_syncs("default") == Workspace.objects.count()
    assert "not compared with Hoursmith yet" in browse("owner").get("/members/").content.decode()


def test_a_comparison_ends_it_and_one_that_was_not_recorded_does_not(
    cast: Cast, request: pytest.FixtureRequest
) -> None:
    compared(cast, days=30)
    assert count_overdue_syncs("default") == 1
    workspace = Workspace.objects.get(pk=cast.workspace.pk)
    sync_members(workspace=workspace, members=[OWNER], actor="ana (command line)")
    assert count_overdue_syncs("default") == 0
    compared(cast, days=30)
    request.getfixturevalue("audit_unavailable")
    with pytest.raises(AuditUnavailableError):
        sync_members(workspace=workspace, members=[OWNER], actor="ana (command line)")
    assert count_overdue_syncs("default") == 1


def test_the_sandbox_is_its_own_list(cast: Cast, browse: Browse) -> None:
    compared(cast, days=30)
    with override_settings(SANDBOX_MODE=True):
        assert count_overdue_syncs("default") == 0
        assert OVERDUE not in browse("owner").get("/members/").content.decode()


def test_monitoring_is_told() -> None:
    assert "hoursmith_members_sync_overdue" in HELP
