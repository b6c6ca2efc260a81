"""The demo is played in the sandbox alone, where nobody has worked yet, and once at a time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from hoursmith_console.demo.clock import DemoClock
from hoursmith_console.demo.progress import DemoState, begin, demo_state, publish
from hoursmith_console.demo.services import DemoRefusedError, claim_run, demo_workspace_id, is_offered
from hoursmith_console.workspaces.models import Workspace
from tests.faults.upstream import Hoursmith
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_token

pytestmark = pytest.mark.django_db(databases="__all__")

Browse = Callable[[str], Client]


@pytest.fixture
def empty(cast: Cast) -> Cast:
    """The cast in the sandbox's own workspace, where nothing was called yet."""
    Workspace.objects.filter(pk=cast.workspace.pk).update(org_id=demo_workspace_id())
    return cast


@pytest.fixture
def no_player(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a player that was started by mistake fail at once."""
    monkeypatch.setattr("hoursmith_console.demo.services._COMMAND", ("false",))


@pytest.mark.usefixtures("empty")
def test_it_is_offered_on_the_empty_overview_to_those_who_administer(browse: Browse) -> None:
    for person, offered in (("owner", True), ("admin", True), ("manager", False)):
        assert ("View a demo" in browse(person).get("/").content.decode()) == offered, person
        assert browse(person).get("/demo/").status_code == (200 if offered else 403)
    assert "Play demo" in browse("owner").get("/demo/").content.decode()


@pytest.mark.usefixtures("no_player")
def test_a_workspace_with_activity_or_another_one_gets_none(cast: Cast, trusted: Browse) -> None:
    assert trusted("owner").post("/demo/play/").status_code == 409
    Workspace.objects.filter(pk=cast.workspace.pk).update(org_id=demo_workspace_id())
    make_token(demo_workspace_id(), "9a2c1bdedf00")
    assert not is_offered(demo_workspace_id())
    with pytest.raises(DemoRefusedError, match="--again"):
        claim_run()
    answer = trusted("owner").post("/demo/play/")
    assert answer.status_code == 409
    assert demo_state(demo_workspace_id()) is None
    claim_run(again=True)


@pytest.mark.usefixtures("empty", "no_player")
def test_hosted_mode_has_none(hosted: Hoursmith, trusted: Browse) -> None:
    assert trusted("owner").get("/demo/").status_code == 404
    assert trusted("owner").post("/demo/play/").status_code == 404
    with pytest.raises(DemoRefusedError, match="sandbox only"):
        claim_run(again=True)


@pytest.mark.usefixtures("db")
def test_one_player_at_a_time() -> None:
    claim_run()
    with pytest.raises(DemoRefusedError, match="already"):
        claim_run()
    state = demo_state(demo_workspace_id())
    assert state is not None
    state.ending = "failed"
    publish(demo_workspace_id(), state)
    claim_run()


@pytest.mark.usefixtures("empty")
def test_the_page_shows_how_far_it_is(browse: Browse) -> None:
    assert begin(demo_workspace_id())
    publish(demo_workspace_id(), DemoState(total=40, done=7, calls=55, started_at=time.time()))
    page = browse("owner").get("/demo/").content.decode()
    assert 'value="7" max="40"' in page
    part = browse("owner").get("/demo/", headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith("<section")
    publish(demo_workspace_id(), DemoState(total=40, done=40, calls=300, ending="complete"))
    assert "View overview" in browse("owner").get("/demo/").content.decode()
    publish(demo_workspace_id(), DemoState(total=40, done=9, calls=60, ending="failed"))
    assert "ended early" in browse("owner").get("/demo/").content.decode()


def test_the_clock_never_goes_back() -> None:
    clock, past = DemoClock(), datetime(2026, 3, 2, tzinfo=UTC)
    clock.begin(past)
    clock.move_to(past + timedelta(days=2))
    clock.move_to(past + timedelta(days=1))
    assert past + timedelta(days=2) <= clock.now() < past + timedelta(days=2, minutes=5)
    clock.pass_(600)
    assert clock.now() >= past + timedelta(days=2, seconds=600)
