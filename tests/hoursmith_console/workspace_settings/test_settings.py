"""The settings area: who sees it, who changes it, what the record says, and that the bridge hears of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.models import AuditEvent, Freeze, SnapshotStop
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.hoursmith_console.sign_in.people import told
from tests.page_urls import console_routes, filled

Browse = Callable[[str], Client]
CHANGES = {
    "pause/": {"reason": "something is odd", "do": "pause"},
    "snapshots/": {"do": "off"},
    "two-factor/": {"do": "on"},
    "retention/": {"days": "365"},
}


@pytest.mark.parametrize(("name", "status"), [("owner", 200), ("admin", 200), ("manager", 403), ("member", 403)])
def test_the_page_is_for_those_who_review(browse: Browse, name: str, status: int) -> None:
    visitor = browse(name)
    assert visitor.get("/settings/").status_code == status
    assert ('href="/settings/"' in visitor.get("/").content.decode()) is (status == 200)


@pytest.mark.parametrize("section", list(CHANGES))
def test_changes_are_for_owner_and_admin_with_a_recent_sign_in(
    cast: Cast, browse: Browse, trusted: Browse, section: str
) -> None:
    for name in ("manager", "member"):
        assert trusted(name).post(f"/settings/{section}", CHANGES[section]).status_code == 403
    asked = browse("admin").post(f"/settings/{section}", CHANGES[section])
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert trusted("admin").get(f"/settings/{section}").status_code == 405
    assert told() == []
    assert trusted("admin").post(f"/settings/{section}", CHANGES[section]).status_code == 302
    assert told("org-acme") == ["freeze" if section == "pause/" else "setting_change"]
    assert told("org-globex") == []


@pytest.mark.parametrize("section", list(CHANGES))
@pytest.mark.usefixtures("audit_unavailable")
def test_what_cannot_be_recorded_is_not_changed(cast: Cast, trusted: Browse, section: str) -> None:
    client = trusted("owner")
    answer = client.post(f"/settings/{section}", CHANGES[section])
    assert answer.status_code == 503
    assert "cannot be written" in answer.content.decode()
    workspace = Workspace.objects.get(pk=cast.workspace.pk)
    assert (workspace.requires_two_factor, workspace.retention_days) == (False, None)
    assert (Freeze.objects.count(), SnapshotStop.objects.count()) == (0, 0)


def test_a_change_is_recorded_with_what_was_before(trusted: Browse) -> None:
    owner = trusted("owner")
    for days in ("365", "365", "90", ""):
        owner.post("/settings/retention/", {"days": days})
    owner.post("/settings/two-factor/", {"do": "on"})
    rows = AuditEvent.objects.filter(tool="console.setting_change").order_by("sequence")
    assert [(row.target_id, row.arguments) for row in rows] == [
        ("retention_days", {"before": "no limit", "after": "365"}),
        ("retention_days", {"before": "365", "after": "90"}),
        ("retention_days", {"before": "90", "after": "no limit"}),
        ("requires_two_factor", {"before": "off", "after": "on"}),
    ]


def test_the_freeze_is_lifted_by_its_own_button_alone(cast: Cast, trusted: Browse) -> None:
    owner = trusted("owner")
    owner.post("/settings/pause/", {"do": "pause", "reason": ""})
    assert not Freeze.objects.exists()
    for _ in range(2):
        owner.post("/settings/pause/", {"do": "pause", "reason": "odd"})
    assert "Destructive tools are paused" in owner.get("/settings/").content.decode()
    owner.post("/settings/pause/", {"do": "resume"})
    assert not Freeze.objects.filter(lifted_at=None).exists()
    assert told() == ["freeze", "unfreeze"]


def test_a_pause_of_the_workspace_is_said_on_every_page_and_ended_from_there(cast: Cast, trusted: Browse) -> None:
    owner, member = trusted("owner"), trusted("member")
    owner.post("/settings/pause/", {"do": "pause", "reason": "odd deletions"})
    said = "Destructive tools are paused in this workspace.</strong> Paused by"
    for address in (filled(route) for route in console_routes() if "<" not in route):
        for visitor in (owner, member):
            page = visitor.get(address)
            if page.status_code == 200 and b"<h1" in page.content:
                text = page.content.decode()
                assert said in text, address
                assert "odd deletions" in text
                assert ("Resume destructive tools" in text) is (visitor is owner)
    assert said not in trusted("outsider").get("/").content.decode()
    answer = owner.post("/settings/pause/", {"do": "resume", "next": "/audit/?q=x"})
    assert answer.headers["Location"] == "/audit/?q=x"
    assert said not in owner.get("/audit/").content.decode()


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_the_end_of_a_pause_leads_nowhere_else(trusted: Browse, elsewhere: str) -> None:
    answer = trusted("owner").post("/settings/pause/", {"do": "resume", "next": elsewhere})
    assert answer.headers["Location"] == "/settings/#pause"


def test_one_token_is_frozen_on_its_page(cast: Cast, trusted: Browse) -> None:
    token, owner = cast.tokens["manager"], trusted("owner")
    owner.post(f"/tokens/{token.pk}/pause/", {"do": "pause", "reason": "odd"})
    freeze = Freeze.objects.get(lifted_at=None)
    assert (freeze.org_id, freeze.env, freeze.prefix) == (cast.org_id, token.env, token.prefix)
    assert "Destructive tools are paused" in owner.get(f"/tokens/{token.pk}/").content.decode()
    assert trusted("manager").post(f"/tokens/{token.pk}/pause/", {"do": "resume"}).status_code == 403
    assert trusted("outsider").post(f"/tokens/{token.pk}/pause/", {"do": "resume"}).status_code == 404
    assert Freeze.objects.filter(lifted_at=None).exists()


def test_retention_says_what_would_go(cast: Cast, trusted: Browse) -> None:
    for days in (400, 380, 3):
        make_audit(cast.tokens["owner"], at=timezone.now() - timedelta(days=days))
    owner = trusted("owner")
    owner.post("/settings/retention/", {"days": "365"})
    page = owner.get("/settings/").content.decode()
    assert '<strong class="number">4</strong> entries are older' in page
    assert "audit_prune --before" in page
    assert owner.post("/settings/retention/", {"days": "3"}).status_code == 400


def test_the_page_says_how_the_console_is_set_up(browse: Browse) -> None:
    page = browse("owner").get("/settings/").content.decode()
    for words in (
        "SQLite (connected)",
        "embedded sandbox",
        "after 12 h, or after 60 min of inactivity",
        "not configured",
    ):
        assert words in page
