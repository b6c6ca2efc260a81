"""The approvals area: who sees what, who decides, what the record says, and the policy's form."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mcpbridge.calls.approvals.policy import get_approval_rule
from mcpbridge.models import ApprovalRequest, ApprovalRule, AuditEvent, ObservedToken
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import told
from tests.token_shapes import assembled_token

Browse = Callable[[str], Client]
RULE = {"tools": ["delete_client"], "tokens": "", "hourly_limit": "5", "answered_in": "console", "holds_s": "45"}


def make_request(token: ObservedToken, **more: Any) -> ApprovalRequest:
    now = timezone.now()
    given = {"tool": "delete_client", "target_type": "client", "target_label": "Globex", "target_id": "c1", **more}
    given.setdefault("expires_at", now + timedelta(minutes=15))
    return ApprovalRequest.objects.create(
        env=token.env,
        prefix=token.prefix,
        org_id=token.org_id,
        call_id=uuid.uuid4(),
        digest=uuid.uuid4().hex,
        arguments={"id": "c1"},
        snapshot={"name": "Globex", "notes": "the quiet client"},
        token_name=token.token_name,
        role=token.role,
        client_name="Claude Desktop",
        cause="tool",
        answered_in="console",
        asked_at=now,
        **given,
    )


def post(client: Client, request: ApprovalRequest, do: str = "approve") -> Any:
    return client.post(f"/approvals/{request.call_id}/decide/", {"do": do})


@pytest.mark.parametrize(("do", "decision"), [("approve", "approved"), ("refuse", "refused"), ("", "refused")])
def test_an_admin_decides_once_and_the_record_says_who(cast: Cast, trusted: Browse, do: str, decision: str) -> None:
    request = make_request(cast.tokens["member"])
    admin = trusted("admin")
    assert "Globex" in admin.get("/approvals/").content.decode()
    assert post(admin, request, do).status_code == 302
    owner = trusted("owner")
    assert "Already decided or expired" in owner.get(post(owner, request)["Location"]).content.decode()
    request.refresh_from_db()
    assert (request.decision, request.decided_by) == (decision, cast.people["admin"].display_identity)
    row = AuditEvent.objects.get(tool=f"approval.{decision}")
    assert (row.actor, row.target_label, row.prefix) == (request.decided_by, "Globex", request.prefix)
    assert AuditEvent.objects.filter(tool__startswith="approval.").count() == 1


def test_deciding_asks_for_a_recent_sign_in_and_for_the_right_people(
    cast: Cast, browse: Browse, trusted: Browse
) -> None:
    request = make_request(cast.tokens["member"])
    assert post(browse("owner"), request)["Location"].startswith("/accounts/reauthenticate/")
    for name in ("manager", "member"):
        assert post(trusted(name), request).status_code == 403
    assert post(trusted("outsider"), request).status_code == 404
    auditor = cast.people["manager"]
    auditor.is_auditor = True
    auditor.save()
    assert post(trusted("manager"), request).status_code == 403
    assert trusted("owner").get(f"/approvals/{request.call_id}/decide/").status_code == 405
    request.refresh_from_db()
    assert request.decision == ""
    assert not AuditEvent.objects.filter(tool__startswith="approval.").exists()


def test_members_see_the_requests_of_their_own_tokens_and_no_contents(cast: Cast, browse: Browse) -> None:
    own = make_request(cast.tokens["member"], target_label="Mine")
    others = make_request(cast.tokens["admin"], target_label="Theirs")
    member = browse("member")
    for address in ("/approvals/", "/approvals/waiting/"):
        page = member.get(address).content.decode()
        assert "Mine" in page
        assert "Theirs" not in page
        assert 'value="approve"' not in page
    page = member.get(f"/approvals/{own.call_id}/").content.decode()
    assert "the quiet client" not in page
    assert "Visible to Owners, Admins and Auditors only" in page
    assert member.get(f"/approvals/{others.call_id}/").status_code == 404
    assert browse("outsider").get(f"/approvals/{own.call_id}/").status_code == 404
    assert "Mine" not in browse("outsider").get("/approvals/").content.decode()


def test_opening_what_would_be_lost_is_recorded(cast: Cast, browse: Browse) -> None:
    request = make_request(cast.tokens["member"])
    owner = browse("owner")
    assert "the quiet client" not in owner.get("/approvals/").content.decode()
    for _ in range(2):
        assert "the quiet client" in owner.get(f"/approvals/{request.call_id}/").content.decode()
    assert told(cast.org_id) == ["record_open"]


def test_what_is_out_of_time_or_decided_has_no_buttons(cast: Cast, browse: Browse) -> None:
    token, now = cast.tokens["member"], timezone.now()
    for number, more in enumerate(
        (
            {"expires_at": now - timedelta(seconds=1)},
            {"decision": "approved", "decided_at": now, "used_at": now, "closed_at": now},
            {"decision": "refused", "decided_at": now, "closed_at": now},
        )
    ):
        make_request(token, target_label=f"Record {number}", **more)
    page = browse("owner").get("/approvals/").content.decode()
    assert 'value="approve"' not in page
    for words in ("Expired", "Approved and used", "Denied", "Record 2"):
        assert words in page


def test_the_overview_tells_who_may_decide(cast: Cast, browse: Browse) -> None:
    make_request(cast.tokens["member"])
    assert "wait" not in browse("member").get("/").content.decode().partition("Needs attention")[2][:400]
    assert ">1 destructive call</a></strong> waiting for approval" in browse("owner").get("/").content.decode()


def test_the_menu_counts_what_waits_for_who_may_decide(cast: Cast, browse: Browse) -> None:
    badge = '<span class="badge number">2<span class="visually-hidden"> pending</span></span>'
    for _ in range(2):
        make_request(cast.tokens["member"])
    make_request(cast.tokens["member"], decision="refused")
    make_request(cast.tokens["member"], expires_at=timezone.now())
    for name in ("owner", "admin", "manager", "member", "outsider"):
        assert (badge in browse(name).get("/tokens/").content.decode()) is (name in ("owner", "admin")), name


def test_older_decisions_are_on_the_next_page(cast: Cast, browse: Browse, django_assert_max_num_queries: Any) -> None:
    now = timezone.now()
    for number in range(55):
        make_request(
            cast.tokens["member"], target_label=f"Record {number:02}", decision="refused", decided_at=now, closed_at=now
        )
    owner = browse("owner")
    with django_assert_max_num_queries(13):
        page = owner.get("/approvals/").content.decode()
    assert "Record 54" in page
    assert "Record 04" not in page
    address = page.partition('href="/approvals/?before=')[2].partition('"')[0]
    older = owner.get("/approvals/", {"before": address})
    assert "Record 04" in older.content.decode()


def test_the_policy_is_changed_by_who_decides_and_recorded(cast: Cast, browse: Browse, trusted: Browse) -> None:
    said = {**RULE, "tokens": cast.tokens["member"].masked_token, "lasts_min": "15"}
    assert browse("admin").post("/approvals/policy/", said)["Location"].startswith("/accounts/reauthenticate/")
    for name in ("manager", "member"):
        assert trusted(name).get("/approvals/policy/").status_code == 403
        assert trusted(name).post("/approvals/policy/", said).status_code == 403
    assert not ApprovalRule.objects.exists()
    admin = trusted("admin")
    for _ in range(2):
        assert admin.post("/approvals/policy/", said).status_code == 302
    rule = get_approval_rule(cast.org_id)
    assert (rule.tools, rule.hourly_limit, rule.lasts_s) == (["delete_client"], 5, 900)
    assert rule.tokens == [f"live_{cast.tokens['member'].prefix}"]
    row = AuditEvent.objects.get(tool="console.setting_change")
    assert (row.target_id, row.arguments["before"]["tools"], row.arguments["after"]["tools"]) == (
        "approvals",
        "none",
        "delete_client",
    )
    assert get_approval_rule("org-globex").tools == []
    assert "more than 5 destructive calls per token" in admin.get("/approvals/").content.decode()


@pytest.mark.parametrize("ending", ["", "_••••", "_" + 32 * "x"])
def test_a_token_is_named_by_its_public_part_whatever_follows(cast: Cast, trusted: Browse, ending: str) -> None:
    owner, public = trusted("owner"), f"hsk_live_{cast.tokens['member'].prefix}"
    assert owner.post("/approvals/policy/", {**RULE, "tokens": public + ending, "lasts_min": "15"}).status_code == 302
    assert get_approval_rule(cast.org_id).tokens == [f"live_{cast.tokens['member'].prefix}"]
    assert f"{public}</textarea>" in owner.get("/approvals/policy/").content.decode()


def test_a_whole_token_or_a_strange_one_is_not_taken(cast: Cast, trusted: Browse) -> None:
    owner, secret = trusted("owner"), "Kq9"
    pasted = assembled_token(prefix=cast.tokens["outsider"].prefix, secret=secret)
    answer = owner.post("/approvals/policy/", {**RULE, "tokens": pasted, "lasts_min": "15"})
    assert answer.status_code == 400
    assert "must be the prefix of a token used in this workspace" in answer.content.decode()
    assert secret * 3 not in answer.content.decode()
    assert not ApprovalRule.objects.exists()


def test_an_empty_area_teaches(browse: Browse) -> None:
    assert "Set up approvals" in browse("owner").get("/approvals/").content.decode()
    member = browse("member").get("/approvals/").content.decode()
    assert "Approvals are off" in member
    assert "Set up approvals" not in member
