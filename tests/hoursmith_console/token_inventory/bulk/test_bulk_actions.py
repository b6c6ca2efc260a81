"""Bulk actions: what is selected, what the preview says, and what becomes of each token."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.rotations.models import Rotation, RotationMail
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_inventory.bulk.services import BulkOrder, start_bulk_job, work_off, work_off_jobs
from hoursmith_console.token_inventory.models import BulkAction, BulkItem, BulkJob, BulkOutcome
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.models import AuditEvent, ObservedToken, TokenBlock
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_token

Browse = Callable[[str], Client]
BULK = "/tokens/bulk/"
NOW = timezone.now()


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().replace("&#x27;", "'").split())


def picked(*tokens: ObservedToken) -> str:
    """The query that selects these tokens."""
    return "?" + "&".join(f"token={token.pk}" for token in tokens)


def confirm(browser: Client, address: str, **fields: str) -> Any:
    """Open the preview at `address` and send its form."""
    page = browser.get(address).content.decode()
    given = {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("form", "digest")}
    if due := re.findall(r'name="due_on" value="([^"]*)"', page):
        given["due_on"] = due[0]
    return browser.post(address, {"reason": "because", **given, **fields})


def events(action: str) -> list[str]:
    """The prefixes that audit entries of `action` are about."""
    return list(
        AuditEvent.objects.filter(tool=f"console.{action}").order_by("sequence").values_list("prefix", flat=True)
    )


def outcomes() -> dict[str, str]:
    """What became of each token, by its name."""
    return dict(BulkItem.objects.values_list("token_name", "outcome"))


def names(cast: Cast, *people: str) -> list[ObservedToken]:
    return [cast.tokens[name] for name in people]


def test_selected_tokens_are_blocked_with_one_entry_each(cast: Cast, trusted: Browse) -> None:
    make_client(cast.tokens["member"], name="Cursor")
    tokens = names(cast, "member", "manager")
    address = f"{BULK}block/{picked(*tokens)}"
    page = text(trusted("owner").get(address))
    for words in ("Block 2 tokens", "Member Person", "Manager Person", "Cursor", "Stops working"):
        assert words in page
    answer = confirm(trusted("owner"), address)
    job = BulkJob.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"{BULK}{job.pk}/"
    assert job.ended_at is not None
    assert set(TokenBlock.objects.filter(lifted_at=None).values_list("prefix", flat=True)) == {
        token.prefix for token in tokens
    }
    assert sorted(events("token_block")) == sorted(token.prefix for token in tokens)
    assert "2 of 2 · Blocked: 2" in text(trusted("owner").get(answer["Location"]))


def test_what_cannot_be_done_is_left_out_with_its_reason(cast: Cast, trusted: Browse) -> None:
    block_token(
        env="live", prefix=cast.tokens["member"].prefix, org_id=cast.org_id, actor="Ana <a@x.example>", reason="x"
    )
    page = text(trusted("owner").get(f"{BULK}block/{picked(*names(cast, 'member', 'manager'))}"))
    assert "Block 1 token" in page
    assert "1 left out" in page
    assert "Blocked by Ana." in page


@pytest.mark.parametrize(("action", "kind"), [("rotation", "planned"), ("revocation", "revocation")])
def test_a_request_starts_one_campaign_and_writes_to_each_owner_once(
    cast: Cast, trusted: Browse, action: str, kind: str
) -> None:
    second = make_token(cast.org_id, "aaaaaaaaaaaa", name="second")
    TokenClaim.objects.create(env="live", prefix=second.prefix, member=cast.people["member"], source="verified")
    tokens = [*names(cast, "member", "manager"), second]
    confirm(trusted("admin"), f"{BULK}{action}/{picked(*tokens)}")
    campaign = Campaign.objects.get()
    assert campaign.kind == kind
    assert set(Rotation.objects.filter(campaign=campaign).values_list("kind", flat=True)) == {kind}
    assert sorted(events("rotation_start")) == sorted(token.prefix for token in tokens)
    assert RotationMail.objects.count() == 2
    assert "View campaign" in text(trusted("admin").get(f"{BULK}{BulkJob.objects.get().pk}/"))


def test_all_that_match_are_selected_by_the_filters(cast: Cast, trusted: Browse) -> None:
    for number in range(3):
        make_token(cast.org_id, f"{number:012d}", name=f"idle {number}", last_used_at=NOW - timedelta(days=40))
    page = text(trusted("admin").get(f"{BULK}revocation/?every=1&used=idle&shown=3"))
    assert "Revoke 3 tokens (Last used: more than 30 days ago)".casefold() in re.sub("<[^>]+>", "", page).casefold()
    confirm(trusted("admin"), f"{BULK}revocation/?every=1&used=idle&shown=3")
    assert set(outcomes()) == {"idle 0", "idle 1", "idle 2"}
    assert Campaign.objects.get().title == "Revoke 3 tokens: last used: more than 30 days ago"


def test_another_number_of_matching_tokens_is_said(cast: Cast, trusted: Browse) -> None:
    page = text(trusted("admin").get(f"{BULK}block/?every=1&role=MEMBER&shown=3"))
    assert "3 tokens matched when you selected them; 1 matches now" in page


def test_a_selection_that_changed_under_the_preview_is_shown_again(cast: Cast, trusted: Browse) -> None:
    browser, address = trusted("admin"), f"{BULK}block/?every=1&role=MEMBER"
    page = browser.get(address).content.decode()
    given = {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("form", "digest")}
    make_token(cast.org_id, "aaaaaaaaaaaa", name="late", role="MEMBER")
    answer = browser.post(address, {"reason": "my reason", **given})
    assert answer.status_code == 409
    assert "Nothing was done" in text(answer)
    assert "my reason" in text(answer)
    assert not TokenBlock.objects.exists()


def test_tokens_that_changed_meanwhile_are_told_apart(cast: Cast) -> None:
    gone = make_token(cast.org_id, "aaaaaaaaaaaa", name="gone")
    tokens = [*names(cast, "owner", "admin", "manager", "member"), gone]
    job = start_bulk_job(
        member=cast.people["admin"], order=BulkOrder(BulkAction.BLOCK, "f", "x"), tokens=tokens, possible=tokens
    )
    ObservedToken.objects.filter(pk=gone.pk).delete()
    block_token(env="live", prefix=cast.tokens["owner"].prefix, org_id=cast.org_id, actor="Ana", reason="x")
    rotation = start_rotation(
        env="live", prefix=cast.tokens["member"].prefix, workspace=cast.workspace, kind="planned", actor="Ana"
    )
    Rotation.objects.filter(pk=rotation.pk).update(
        revoked_at=timezone.now(), ended_at=timezone.now(), outcome="done", new_env="live", new_prefix="b" * 12
    )
    assert work_off(job)
    assert outcomes() == {
        "owner's laptop": BulkOutcome.ALREADY,
        "admin's laptop": BulkOutcome.DONE,
        "manager's laptop": BulkOutcome.DONE,
        "member's laptop": BulkOutcome.REVOKED,
        "gone": BulkOutcome.GONE,
    }
    assert "hsk_live_bbbbbbbbbbbb" in BulkItem.objects.get(outcome=BulkOutcome.REVOKED).detail
    assert len(events("token_block")) == 3


def test_who_lost_the_right_meanwhile_does_nothing_more(cast: Cast) -> None:
    tokens = names(cast, "manager", "member")
    job = start_bulk_job(
        member=cast.people["admin"], order=BulkOrder(BulkAction.BLOCK, "f", "x"), tokens=tokens, possible=tokens
    )
    Member.objects.filter(pk=cast.people["admin"].pk).update(role="MANAGER")
    assert work_off(job)
    assert set(outcomes().values()) == {BulkOutcome.GONE}
    Member.objects.filter(pk=cast.people["admin"].pk).update(is_active=False)
    BulkItem.objects.update(outcome=BulkOutcome.WAITING)
    assert work_off(job)
    assert set(outcomes().values()) == {BulkOutcome.DENIED}
    assert not TokenBlock.objects.exists()


def test_a_job_continues_where_it_stopped_and_does_nothing_twice(cast: Cast) -> None:
    tokens = [make_token(cast.org_id, f"{number:012d}", name=f"t{number}") for number in range(7)]
    job = start_bulk_job(
        member=cast.people["admin"], order=BulkOrder(BulkAction.BLOCK, "f", "x"), tokens=tokens, possible=tokens
    )
    # One token a step, as if the process were killed after each.
    steps = 0
    while not work_off(BulkJob.objects.get(pk=job.pk), budget_s=0):
        steps += 1
        assert BulkItem.objects.filter(outcome=BulkOutcome.DONE).count() == steps == len(events("token_block"))
    assert steps == 7
    work_off(job)
    assert work_off_jobs() == 0
    assert sorted(events("token_block")) == sorted(token.prefix for token in tokens)


@pytest.mark.usefixtures("audit_unavailable")
def test_without_an_audit_entry_a_token_waits(cast: Cast, trusted: Browse) -> None:
    answer = confirm(trusted("owner"), f"{BULK}block/{picked(cast.tokens['member'])}")
    assert answer.status_code == 302
    assert outcomes() == {"member's laptop": BulkOutcome.WAITING}
    assert not TokenBlock.objects.exists()
    page = text(trusted("owner").get(answer["Location"]))
    assert "0 of 1 so far" in page
    assert "Continue now" in page


def test_two_admins_at_once_act_once(cast: Cast) -> None:
    tokens = names(cast, "manager", "member")
    jobs = [
        start_bulk_job(
            member=cast.people[name], order=BulkOrder(BulkAction.BLOCK, name, "x"), tokens=tokens, possible=tokens
        )
        for name in ("owner", "admin")
    ]
    for _ in range(4):
        for job in jobs:
            work_off(job, budget_s=0)
    assert len(events("token_block")) == 2
    assert sorted(BulkItem.objects.values_list("outcome", flat=True)) == ["already", "already", "done", "done"]


def test_the_same_form_again_starts_no_second_job(cast: Cast, trusted: Browse) -> None:
    browser, address = trusted("admin"), f"{BULK}rotation/{picked(cast.tokens['member'])}"
    page = browser.get(address).content.decode()
    given = {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("form", "digest", "due_on")}
    first, second = browser.post(address, given), browser.post(address, given)
    assert first["Location"] == second["Location"]
    assert Campaign.objects.count() == BulkJob.objects.count() == 1


@pytest.mark.parametrize("action", ["block", "rotation", "revocation"])
def test_tokens_of_others_in_a_forged_address_are_refused(cast: Cast, trusted: Browse, action: str) -> None:
    foreign = picked(cast.tokens["outsider"])
    answer = trusted("owner").get(f"{BULK}{action}/{foreign}", follow=True)
    assert "Select at least one token" in text(answer)
    assert trusted("owner").post(f"{BULK}{action}/{foreign}", {"reason": "x"}).status_code == 302
    mixed = text(trusted("owner").get(f"{BULK}{action}/{picked(*names(cast, 'outsider', 'member'))}"))
    assert "1 selected token is no longer there, or not yours" in mixed
    assert "outsider" not in mixed
    assert not BulkJob.objects.exists()


def test_members_block_their_own_and_request_nothing(cast: Cast, trusted: Browse) -> None:
    member = trusted("member")
    for action in ("rotation", "revocation"):
        assert member.get(f"{BULK}{action}/{picked(cast.tokens['member'])}").status_code == 403
    assert "Block 1 token" in text(member.get(f"{BULK}block/{picked(*names(cast, 'member', 'owner'))}"))
    confirm(member, f"{BULK}block/{picked(cast.tokens['member'])}")
    assert TokenBlock.objects.get().liftable_by == cast.people["member"].pk
    job = BulkJob.objects.get()
    assert trusted("manager").get(f"{BULK}{job.pk}/").status_code == 404
    assert trusted("owner").get(f"{BULK}{job.pk}/").status_code == 200
    assert trusted("owner").post(f"{BULK}{job.pk}/continue/").status_code == 403
    assert trusted("outsider").get(f"{BULK}{job.pk}/").status_code == 404


def test_an_auditor_has_nothing_to_select(cast: Cast, trusted: Browse) -> None:
    Member.objects.filter(pk=cast.people["manager"].pk).update(is_auditor=True)
    auditor = trusted("manager")
    assert 'form="bulk"' not in text(auditor.get("/tokens/"))
    assert auditor.get(f"{BULK}block/{picked(cast.tokens['manager'])}").status_code == 403


def test_it_asks_for_the_password_like_blocking_one(cast: Cast, browse: Browse) -> None:
    answer = browse("owner").get(f"{BULK}block/{picked(cast.tokens['member'])}")
    assert answer.status_code == 302
    assert "/accounts/reauthenticate/" in answer["Location"]


def test_more_than_a_job_takes_are_not_selected(cast: Cast, trusted: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("selection", "views"):
        monkeypatch.setattr(f"hoursmith_console.token_inventory.bulk.{module}.MAX_TOKENS", 3)
    answer = trusted("owner").get(f"{BULK}block/?every=1", follow=True)
    assert "Select at most 3 tokens at once" in text(answer)
