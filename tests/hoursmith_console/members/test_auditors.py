"""Auditors read everything of the workspace and change nothing, wherever a form may come from."""

from collections.abc import Callable

import pytest
from django.test import Client

from hoursmith_console.workspaces.access import add_auditor
from hoursmith_console.workspaces.models import Member
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call
from tests.hoursmith_console.sign_in.people import told
from tests.hoursmith_console.test_every_address import _addresses

Browse = Callable[[str], Client]
# Forms that change nothing of the workspace: whose look one looks at it with, a proof and copies, one's own views.
READING = {"/workspace/", "/audit/verify/", "/audit/export/", "/activity/export/"}
READING |= {each for each in _addresses() if "/views/" in each or each.endswith("/evidence/")}


@pytest.fixture
def auditor(cast: Cast, trusted: Browse) -> Client:
    """A member who was made an auditor, in a browser with a recent sign-in."""
    add_auditor(member=cast.people["member"], actor="Owner")
    return trusted("member")


@pytest.mark.parametrize("address", [each for each in _addresses() if each not in READING])
def test_an_auditor_changes_nothing_at_any_address(auditor: Client, address: str) -> None:
    """Every address that the console has or will have: refused, or not one that takes forms."""
    assert auditor.post(address, {"reason": "x", "do": "on"}).status_code == 403
    assert told() == ["auditor_appoint"]


def test_an_auditor_reads_everything(cast: Cast, auditor: Client) -> None:
    token = cast.tokens["owner"]
    call, intent = make_call(token, arguments={"name": "Hooli"}), make_audit(token, snapshot={"name": "Vandelay"})
    pages = [
        "/",
        "/tokens/",
        "/audit/",
        "/activity/",
        "/members/",
        "/settings/",
        "/audit/destinations/",
        "/audit/export/",
    ]
    for address in [*pages, f"/tokens/{token.pk}/", f"/members/{cast.people['owner'].pk}/"]:
        assert auditor.get(address).status_code == 200, address
    assert "Hooli" in auditor.get(f"/activity/{call.pk}/").content.decode()
    assert "Vandelay" in auditor.get(f"/audit/{intent.call_id}/").content.decode()


def test_an_auditor_is_offered_no_form_that_they_may_not_send(cast: Cast, auditor: Client) -> None:
    intent = make_audit(cast.tokens["owner"], result=None)
    allowed = {"/accounts/logout/", "/workspace/", "/audit/verify/", "/audit/export/", "/audit/views/"}
    for address in (
        "/settings/",
        "/members/",
        f"/members/{cast.people['manager'].pk}/",
        f"/tokens/{cast.tokens['owner'].pk}/",
        f"/audit/{intent.call_id}/",
        "/audit/",
        "/audit/destinations/",
    ):
        page = auditor.get(address).content.decode()
        forms = [part.partition('"')[0] for part in page.split('<form method="post" action="')[1:]]
        assert {form for form in forms if not form.endswith("/evidence/")} <= allowed, address


def test_an_auditor_verifies_and_exports(auditor: Client) -> None:
    assert auditor.post("/audit/verify/").status_code in (200, 302)
    for area in ("audit", "activity"):
        assert auditor.post(f"/{area}/export/", {"format": "jsonl"}).status_code == 200


def test_an_auditor_downloads_the_evidence_of_an_entry(cast: Cast, auditor: Client) -> None:
    intent = make_audit(cast.tokens["owner"])
    answer = auditor.post(f"/audit/{intent.call_id}/evidence/")
    assert answer.status_code == 200, answer.content.decode()
    assert str(intent.call_id) in answer.headers["Content-Disposition"]
    assert auditor.post(f"/audit/{make_audit(cast.tokens['outsider']).call_id}/evidence/").status_code == 404


def test_being_appointed_and_dismissed_is_recorded(cast: Cast, trusted: Browse) -> None:
    owner, address = trusted("owner"), f"/members/{cast.people['member'].pk}/auditor/"
    for is_auditor in (True, False):
        owner.post(address)
        assert Member.objects.get(pk=cast.people["member"].pk).is_auditor is is_auditor
    assert told() == ["auditor_appoint", "auditor_dismiss"]
    assert owner.post(f"/members/{cast.people['admin'].pk}/auditor/").status_code == 403


def test_an_auditor_of_one_workspace_sees_nothing_of_another(cast: Cast, auditor: Client) -> None:
    foreign = make_audit(cast.tokens["outsider"])
    assert auditor.get(f"/audit/{foreign.call_id}/").status_code == 404
