"""Leaked-tokens page: prefixes in, visible details out, blocking and rotating."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.leaked_tokens.services import AT_MOST, parse_token_prefixes
from hoursmith_console.rotations.models import Rotation
from mcpbridge.models import AuditEvent, TokenBlock, TokenRef
from tests.hoursmith_console.conftest import PASSWORD, Cast
from tests.hoursmith_console.records import make_client, make_refusal
from tests.same_pages import without_times
from tests.token_shapes import assembled_token

Browse = Callable[[str], Client]
PAGE = "/rotations/leaked-tokens/"


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(tool=f"console.{action}").order_by("sequence"))


def test_the_public_part_is_all_that_is_read() -> None:
    token = assembled_token()
    texts = [
        token,
        "test_aaaaaaaaaaaa",
        "hsk_live_bbbbbbbbbbbb",
        "live_4f8a2c1bdedf",
        "live_short",
        "hsk_live_" + "c" * 13,
    ]
    assert parse_token_prefixes(texts) == [
        TokenRef("live", "4f8a2c1bdedf"),
        TokenRef("test", "aaaaaaaaaaaa"),
        TokenRef("live", "bbbbbbbbbbbb"),
    ]
    assert len(parse_token_prefixes(f"live_{number:012d}" for number in range(80))) == AT_MOST


def test_an_owner_sees_the_owner_and_use_of_a_reported_token(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["member"]
    make_client(token, name="Cursor", address="203.0.113.50")
    answer = browse("owner").post(
        PAGE, {"prefix": [f"live_{token.prefix}", "live_ffffffffffff"], "found_in": "#random in the chat"}, follow=True
    )
    page = answer.content.decode()
    for words in ("1 of 2 reported tokens", "Member Person", "203.0.113.50", "Cursor", "Active", "Not known:"):
        assert words in page
    assert answer.redirect_chain == [(f"{PAGE}?t=live_{token.prefix}&t=live_ffffffffffff", 302)]
    (row,) = events("leak_report")
    assert row.arguments == {"prefixes": [f"live_{token.prefix}", "live_ffffffffffff"], "known": 1}
    assert (row.actor, row.note) == ("Owner Person <owner@example.com>", "#random in the chat")


def test_another_workspaces_token_is_as_unknown_as_one_that_never_was(cast: Cast, browse: Browse) -> None:
    owner = browse("owner")
    elsewhere = owner.get(f"{PAGE}?t=live_{cast.tokens['outsider'].prefix}").content.decode()
    never = owner.get(f"{PAGE}?t=live_ffffffffffff").content.decode()
    assert _same(elsewhere.replace(cast.tokens["outsider"].prefix, "ffffffffffff"), never)


def _same(one: str, other: str) -> bool:
    pages = map(without_times, (one, other))
    plain = [[line for line in page.splitlines() if "csrfmiddlewaretoken" not in line] for page in pages]
    return plain[0] == plain[1]


def test_a_member_learns_only_whether_it_is_theirs_and_the_admins_hear_of_it(cast: Cast, browse: Browse) -> None:
    own, foreign = cast.tokens["member"].prefix, cast.tokens["admin"].prefix
    page = browse("member").post(PAGE, {"prefix": [f"live_{own}", f"live_{foreign}"]}, follow=True).content.decode()
    assert "1 of 2 reported tokens belongs to you" in " ".join(page.split())
    assert "Not known to be yours" in page
    assert "Admin Person" not in page
    assert "admin&#x27;s laptop" not in page
    assert set(LeakReport.objects.values_list("prefix", flat=True)) == {own, foreign}
    for_admin = browse("admin").get(PAGE).content.decode()
    assert f"hsk_live_{foreign}_••••" in for_admin
    assert "reported by Member Person" in strip_tags(for_admin)


def test_a_whole_token_that_comes_all_the_same_is_kept_nowhere(cast: Cast, browse: Browse) -> None:
    token = assembled_token(prefix=cast.tokens["owner"].prefix, secret="Zq7")
    answer = browse("owner").post(PAGE, {"prefix": token, "place": f"in {token}"}, follow=True)
    assert "Zq7" not in answer.content.decode() + str(answer.redirect_chain)
    assert "Zq7" not in str(list(LeakReport.objects.values()) + list(AuditEvent.objects.values()))
    assert LeakReport.objects.get().prefix == cast.tokens["owner"].prefix


def test_a_report_without_a_prefix_is_refused(cast: Cast, browse: Browse) -> None:
    answer = browse("owner").post(PAGE, {"prefix": "my token"})
    assert answer.status_code == 400
    assert "No token prefix found" in answer.content.decode()
    assert events("leak_report") == []


@pytest.mark.parametrize(("person", "blocked"), [("owner", {"owner", "member"}), ("member", {"member"})])
def test_members_block_the_tokens_they_may_block(cast: Cast, trusted: Browse, person: str, blocked: set[str]) -> None:
    keys = [f"live_{cast.tokens[name].prefix}" for name in ("owner", "member", "outsider")]
    answer = trusted(person).post(f"{PAGE}block/", {"prefix": keys}, follow=True)
    assert "blocked." in answer.content.decode()
    assert set(TokenBlock.objects.values_list("prefix", flat=True)) == {cast.tokens[name].prefix for name in blocked}
    assert len(events("token_block")) == len(blocked)


def test_who_may_act_on_none_of_them_finds_nothing(cast: Cast, trusted: Browse) -> None:
    visitor = trusted("outsider")
    for action in ("block", "rotate"):
        assert visitor.post(f"{PAGE}{action}/", {"prefix": f"live_{cast.tokens['owner'].prefix}"}).status_code == 404
    assert not TokenBlock.objects.exists()
    assert not Rotation.objects.exists()


@pytest.mark.parametrize("action", ["block", "rotate"])
def test_an_old_sign_in_must_re_authenticate_and_the_form_is_not_kept(cast: Cast, browse: Browse, action: str) -> None:
    visitor = browse("owner")
    answer = visitor.post(f"{PAGE}{action}/", {"prefix": f"live_{cast.tokens['member'].prefix}"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not TokenBlock.objects.exists()
    assert not Rotation.objects.exists()
    visitor.post(answer.headers["Location"], {"password": PASSWORD})
    assert not TokenBlock.objects.exists()
    visitor.post(f"{PAGE}{action}/", {"prefix": f"live_{cast.tokens['member'].prefix}"})
    assert TokenBlock.objects.exists() or Rotation.objects.get().kind == "leaked"


def test_a_report_is_open_until_blocked_rotated_or_closed(cast: Cast, browse: Browse, trusted: Browse) -> None:
    owner = trusted("owner")
    keys = [f"live_{cast.tokens[name].prefix}" for name in ("owner", "manager", "member")]
    owner.post(PAGE, {"prefix": keys})
    owner.post(PAGE, {"prefix": keys})
    assert LeakReport.objects.count() == 3
    assert owner.get(PAGE).content.decode().count('class="todo-lost"') == 3
    owner.post(f"{PAGE}block/", {"prefix": keys[0]})
    owner.post(f"{PAGE}rotate/", {"prefix": keys[1]})
    assert owner.get(PAGE).content.decode().count('class="todo-lost"') == 1
    report = LeakReport.objects.get(prefix=cast.tokens["member"].prefix)
    assert browse("member").post(f"{PAGE}{report.pk}/close/").status_code == 403
    assert browse("outsider").post(f"{PAGE}{report.pk}/close/").status_code == 404
    owner.post(f"{PAGE}{report.pk}/close/")
    assert owner.get(PAGE).content.decode().count('class="todo-lost"') == 0
    assert len(events("leak_settle")) == 1


def test_a_token_that_hoursmith_refuses_by_now_is_probably_revoked(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["member"]
    make_refusal(token, last_at=timezone.now(), matches_token=False)
    assert "Probably revoked" not in browse("owner").get(f"{PAGE}?t=live_{token.prefix}").content.decode()
    make_refusal(token, last_at=timezone.now())
    assert "Probably revoked" in browse("owner").get(f"{PAGE}?t=live_{token.prefix}").content.decode()


@pytest.mark.usefixtures("audit_unavailable")
def test_without_a_record_nothing_is_reported(cast: Cast, browse: Browse) -> None:
    answer = browse("owner").post(PAGE, {"prefix": f"live_{cast.tokens['owner'].prefix}"})
    assert answer.status_code == 503
    assert not LeakReport.objects.exists()


def test_a_passer_by_is_sent_to_sign_in(cast: Cast) -> None:
    answer = Client().get(PAGE)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={PAGE}")
