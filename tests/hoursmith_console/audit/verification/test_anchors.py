"""What pages say of a log that contradicts its anchor, has none, or is held by nothing outside the database."""

from collections.abc import Callable

from django.test import Client
from pytest_django import Settings

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import node_anchors
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit

Browse = Callable[[str], Client]
REASON = "The log ends at entry 1, but it had entry 2."


def test_a_finding_is_shown_to_those_who_review_the_log(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    node_anchors().report(FaultKind.BEHIND, cast.org_id, REASON)
    for address in ("/", "/audit/"):
        page = browse("owner").get(address).content.decode()
        assert "The end of the audit log is missing in the database" in page
        assert REASON in page
        assert "manage.py audit_accept_restore" in page
    assert "Destructive tools are refused." in browse("owner").get("/").content.decode()
    assert "is missing in the database" not in browse("member").get("/").content.decode()


def test_a_finding_about_another_workspace_is_shown_without_its_name_and_reason(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    node_anchors().report(FaultKind.CHANGED, "another-workspace", REASON)
    page = browse("owner").get("/audit/").content.decode()
    assert "An audit log on this server does not agree with what was signed" in page
    assert "another-workspace" not in page
    assert REASON not in page


def test_pages_say_that_nothing_outside_holds_the_log(cast: Cast, browse: Browse, settings: Settings) -> None:
    make_audit(cast.tokens["manager"])
    assert "Nothing outside the database holds this log" not in browse("owner").get("/audit/").content.decode()
    settings.AUDIT_ANCHOR = "none"
    assert "Nothing outside the database holds this log" in browse("owner").get("/audit/").content.decode()


def test_pages_say_that_a_log_must_be_adopted(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    node_anchors().disown(cast.org_id)
    assert "audit_anchor --adopt" in browse("owner").get("/audit/").content.decode()
