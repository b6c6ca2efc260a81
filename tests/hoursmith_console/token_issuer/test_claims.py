"""Whoever shows a token once is known as its owner; nothing of it is kept, and bad ones cost Hoursmith little."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.token_issuer.claims import ClaimError, ClaimResult, check_token, verify_and_claim
from hoursmith_console.tokens.models import ClaimAttempt, TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.core.credential import CredentialError
from mcpbridge.models import AuditEvent
from mcpbridge.upstream import Upstream
from tests.hoursmith_console.conftest import Cast
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.django_db(databases="__all__")

Browse = Callable[[str], Client]
SECRET = "Sn0wyOwl"
TOKEN = assembled_token(prefix="cccccccccccc", secret=SECRET)


def answering(status: int, body: Any = None, asked: list[httpx.Request] | None = None) -> Callable[[], Upstream]:
    """A Hoursmith that answers so; `asked` gathers what it was asked."""

    def handler(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return httpx.Response(status, json=body if body is not None else {"error": {"code": "unauthenticated"}})

    return lambda: Upstream("https://hoursmith.example/api/v1", timeout_s=5, transport=httpx.MockTransport(handler))


def me(org_id: str, role: str) -> dict[str, Any]:
    return {"data": {"orgId": org_id, "orgName": "Acme", "plan": "agency", "role": role, "tokenName": "Laptop"}}


def prove(member: Member, text: str, upstream: Callable[[], Upstream]) -> ClaimResult:
    return verify_and_claim(member=member, text=text, actor=member.display_identity, upstream=upstream)


def test_a_token_that_was_shown_is_claimed_and_that_is_on_record(cast: Cast) -> None:
    member, asked = cast.people["member"], list[httpx.Request]()
    claimed = prove(member, f" {TOKEN}\n", answering(200, me(cast.org_id, "MEMBER"), asked))
    assert (claimed.claim.member, claimed.claim.prefix, claimed.is_new) == (member, "cccccccccccc", True)
    assert [(each.method, each.url.path) for each in asked] == [("GET", "/api/v1/me")]
    row = AuditEvent.objects.get()
    assert (row.tool, row.actor, row.prefix, row.result) == (
        "console.token_claim",
        member.display_identity,
        "cccccccccccc",
        "succeeded",
    )
    assert SECRET not in str(list(AuditEvent.objects.values())) + str(list(TokenClaim.objects.values()))
    assert not ClaimAttempt.objects.exists()


def test_claiming_twice_changes_and_records_nothing(cast: Cast) -> None:
    upstream = answering(200, me(cast.org_id, "MEMBER"))
    prove(cast.people["member"], TOKEN, upstream)
    assert not prove(cast.people["member"], TOKEN, upstream).is_new
    assert AuditEvent.objects.count() == 1


def test_the_first_claim_stands_and_the_second_is_told_and_recorded(cast: Cast) -> None:
    first = TokenClaim.objects.create(env="live", prefix="cccccccccccc", member=cast.people["admin"], source="verified")
    with pytest.raises(ClaimError, match="already claimed by Admin Person"):
        prove(cast.people["member"], TOKEN, answering(200, me(cast.org_id, "MEMBER")))
    assert TokenClaim.objects.get(pk=first.pk).member == cast.people["admin"]
    assert AuditEvent.objects.get().result == "refused"


@pytest.mark.parametrize(
    ("org_id", "role", "said"),
    [
        ("org-globex", "MEMBER", "another workspace"),
        ("org-acme", "ADMIN", "role ADMIN, but yours is MEMBER"),
        ("", "", "another workspace"),
    ],
)
def test_a_token_that_cannot_be_theirs_is_not_claimed(cast: Cast, org_id: str, role: str, said: str) -> None:
    with pytest.raises(ClaimError, match=said):
        prove(cast.people["member"], TOKEN, answering(200, me(org_id, role)))
    assert not TokenClaim.objects.filter(prefix="cccccccccccc").exists()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (402, {"error": {"code": "forbidden_plan", "message": "No.", "requiredPlan": "studio"}}, "Studio"),
        (500, {"error": {"code": "internal"}}, "failed to respond"),
        (200, ["not an object"], "another workspace|could not be read"),
    ],
)
def test_what_hoursmith_says_instead_is_told_and_does_not_count(cast: Cast, status: int, body: Any, said: str) -> None:
    with pytest.raises(ClaimError, match=said):
        prove(cast.people["member"], TOKEN, answering(status, body))
    assert not ClaimAttempt.objects.exists()


def test_bad_tokens_are_limited_for_each_person_and_for_all(cast: Cast) -> None:
    asked = list[httpx.Request]()
    no = answering(401, asked=asked)
    for _ in range(2):
        with pytest.raises(ClaimError, match="does not accept"):
            prove(cast.people["member"], TOKEN, no)
    with pytest.raises(ClaimError, match="in the last minute"):
        prove(cast.people["admin"], TOKEN, no)
    ClaimAttempt.objects.update(at=timezone.now() - timedelta(minutes=2))
    with pytest.raises(ClaimError, match="does not accept"):
        prove(cast.people["member"], TOKEN, no)
    ClaimAttempt.objects.update(at=timezone.now() - timedelta(minutes=2))
    with pytest.raises(ClaimError, match="Wait ten minutes"):
        prove(cast.people["member"], TOKEN, no)
    assert len(asked) == 3
    prove(cast.people["admin"], TOKEN, answering(200, me(cast.org_id, "ADMIN")))
    ClaimAttempt.objects.update(at=timezone.now() - timedelta(minutes=11))
    prove(cast.people["member"], assembled_token(prefix="dddddddddddd"), answering(200, me(cast.org_id, "MEMBER")))
    assert not ClaimAttempt.objects.exists()


def test_bad_tokens_without_a_member_are_limited_for_each_address_and_with_all_others(cast: Cast) -> None:
    asked = list[httpx.Request]()
    no = answering(401, asked=asked)
    with pytest.raises(ClaimError, match="does not accept"):
        check_token(text=TOKEN, address="192.0.2.1", upstream=no)
    with pytest.raises(ClaimError, match="does not accept"):
        prove(cast.people["member"], TOKEN, no)
    with pytest.raises(ClaimError, match="in the last minute"):
        check_token(text=TOKEN, address="192.0.2.2", upstream=no)
    for _ in range(2):
        ClaimAttempt.objects.update(at=timezone.now() - timedelta(minutes=2))
        with pytest.raises(ClaimError, match="does not accept"):
            check_token(text=TOKEN, address="192.0.2.1", upstream=no)
    ClaimAttempt.objects.update(at=timezone.now() - timedelta(minutes=2))
    with pytest.raises(ClaimError, match="Wait ten minutes"):
        check_token(text=TOKEN, address="192.0.2.1", upstream=no)
    assert len(asked) == 4
    checked = check_token(text=TOKEN, address="192.0.2.2", upstream=answering(200, me(cast.org_id, "MEMBER")))
    assert (checked.org_id, checked.org_name, checked.role, checked.name) == (cast.org_id, "Acme", "MEMBER", "Laptop")
    assert SECRET not in repr(checked)


@pytest.mark.parametrize("text", ["", "${HOURSMITH_API_TOKEN}", f'"{TOKEN}"', TOKEN[:-1], "<paste here>"])
def test_nobody_is_asked_about_what_is_no_token(cast: Cast, text: str) -> None:
    asked = list[httpx.Request]()
    with pytest.raises(CredentialError):
        prove(cast.people["member"], text, answering(401, asked=asked))
    assert not asked
    assert not ClaimAttempt.objects.exists()


@pytest.mark.parametrize(
    ("text", "said"), [(f'"{TOKEN}"', "quotation marks"), (TOKEN[:-1], "incomplete"), ("", "no token")]
)
def test_the_page_names_the_fault_and_never_repeats_what_was_pasted(browse: Browse, text: str, said: str) -> None:
    answer = browse("member").post("/tokens/claim/", {"token": text})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said in page
    assert SECRET not in page
    assert "no-store" in answer.headers["Cache-Control"]
    assert 'type="password"' in page
    assert 'autocomplete="off"' in page


def test_the_secret_is_not_set_aside_in_the_session(cast: Cast, browse: Browse) -> None:
    visitor = browse("member")
    visitor.post("/tokens/claim/", {"token": TOKEN[:-1]})
    assert SECRET not in str(dict(visitor.session))


@pytest.mark.parametrize(("person", "status"), [("owner", 200), ("member", 200), ("outsider", 200), ("anonymous", 302)])
def test_every_member_of_a_workspace_has_the_page(browse: Browse, person: str, status: int) -> None:
    answer = browse(person).get("/tokens/claim/")
    assert answer.status_code == status
    assert status == 200 or answer.headers["Location"].startswith("/accounts/login/")
