"""The overview: what needs attention, what happened, and how to begin."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from hoursmith_console.core.templatetags.console import initials, tint
from hoursmith_console.core.times.rendering import relative
from hoursmith_console.overview.queries import calls_over_time, tokens_in_use
from hoursmith_console.tokens.chart import HEIGHT, draw
from hoursmith_console.tokens.usage import Span
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ActivityLoss, ObservedToken, Result
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call, make_client, make_refusal, make_token

Browse = Callable[[str], Client]


def _page(client: Client, address: str = "/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        ("owner", "No assistant has used Hoursmith through this console yet."),
        ("member", "You haven’t connected an assistant yet."),
    ],
)
def test_an_empty_overview_teaches_with_one_sentence_and_one_button(
    cast: Cast, browse: Browse, person: str, sentence: str
) -> None:
    ObservedToken.objects.all().delete()
    page = _page(browse(person)).partition("<main")[2]
    assert sentence in page
    assert page.count('<ol class="how">') == 1
    assert re.findall(r'<a class="button primary" href="([^"]*)">([^<]*)', page) == [
        ("/connections/new/", "Connect an assistant")
    ]


@pytest.mark.parametrize(("mode", "expected"), [(True, True), (False, False)])
@pytest.mark.parametrize("address", ["/", "/tokens/", "/audit/", "/activity/"])
def test_every_page_says_when_it_is_the_sandbox(browse: Browse, address: str, mode: bool, expected: bool) -> None:
    with override_settings(SANDBOX_MODE=mode):
        assert ('class="sandbox"' in browse("owner").get(address).content.decode()) is expected


def test_nothing_to_attend_to_is_said_in_words(browse: Browse) -> None:
    assert "Nothing needs attention." in _page(browse("owner"))


def test_an_outage_of_hoursmith_is_shown_until_a_call_succeeds(cast: Cast, browse: Browse) -> None:
    now, token = timezone.now(), cast.tokens["owner"]
    down = {"result": Result.FAILED, "status": 502, "code": "upstream_unreachable"}
    make_call(token, at=now - timedelta(minutes=50), **down)
    make_call(token, at=now - timedelta(minutes=40))
    for minutes in (30, 20, 10):
        make_call(cast.tokens["member"], at=now - timedelta(minutes=minutes), **down)
    # What another workspace gets says nothing here.
    make_call(cast.tokens["outsider"], at=now)
    page = _page(browse("owner"))
    assert "Hoursmith unreachable" in page
    assert "3 calls unanswered" in page
    assert (
        f"{now - timedelta(minutes=30):%H:%M}" in page.partition("Hoursmith unreachable")[2].partition("unanswered")[0]
    )
    for other in ("outsider", "manager"):
        assert "Hoursmith unreachable" not in _page(browse(other))
    make_call(token, at=now - timedelta(minutes=5), result=Result.REFUSED, status=422, code="validation_error")
    assert "Hoursmith unreachable" in _page(browse("owner"))
    make_call(token, at=now)
    assert "Hoursmith unreachable" not in _page(browse("owner"))


def test_a_lapsed_plan_is_said_on_every_page_until_a_call_goes_through(cast: Cast, browse: Browse) -> None:
    now, token = timezone.now(), cast.tokens["owner"]
    make_call(token, at=now - timedelta(minutes=3), result=Result.REFUSED, status=402, code="forbidden_plan")
    make_call(cast.tokens["outsider"], at=now)
    for address in ("/", "/tokens/", "/members/"):
        assert "include API access</strong>, so every call is refused (402, " in _page(browse("owner"), address)
    # The call was not the manager's, but their assistant gets the same answer.
    assert "include API access</strong>, so every call is refused. Ask" in _page(browse("manager"))
    assert "include API access" not in _page(browse("outsider"))
    make_call(token, at=now)
    assert "include API access" not in _page(browse("owner"))


def test_unknown_outcomes_lost_rows_and_refused_tokens_ask_for_attention(cast: Cast, browse: Browse) -> None:
    now = timezone.now()
    old = now - timedelta(hours=2)
    lost = make_audit(cast.tokens["manager"], "archive_project", old, target_label="Hooli", result=None)
    make_audit(cast.tokens["manager"], at=old, target_label="Slow", result=Result.FAILED, code="upstream_timeout")
    make_audit(cast.tokens["manager"], at=old, target_label="Settled", result=Result.REFUSED, code="conflict")
    make_audit(cast.tokens["manager"], at=old, target_label="Unsent", result=Result.FAILED, code="upstream_unreachable")
    ActivityLoss.objects.create(org_id=cast.org_id, since=old, until=now, calls=1234)
    make_refusal(cast.tokens["member"], attempts=17)
    page = _page(browse("owner"))
    attention = page[page.index('id="attention-title"') : page.index('id="deletions-title"')]
    assert f"/audit/{lost.call_id}/" in attention
    assert "Hooli" in attention
    assert "failed, but may have succeeded at Hoursmith" in attention
    assert "Settled" not in attention
    assert "Unsent" not in attention
    assert "1,234 calls were not logged" in attention
    assert "member's laptop</strong> 17 rejected requests" in attention


def test_old_troubles_are_left_to_the_lists(cast: Cast, browse: Browse) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    make_audit(cast.tokens["manager"], at=long_ago, result=None)
    ActivityLoss.objects.create(org_id=cast.org_id, since=long_ago, until=long_ago, calls=5)
    make_refusal(cast.tokens["member"], last_at=long_ago)
    assert "Nothing needs attention." in _page(browse("owner"))


def _words(page: str, title: str) -> str:
    """The panel named by `title`, as text."""
    panel = page.partition(f'id="{title}"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", f"<h2 {panel}").split())


def test_the_first_card_counts_deletions_and_says_who_what_and_with_which_token(cast: Cast, browse: Browse) -> None:
    now = timezone.now()
    gone = make_audit(cast.tokens["manager"], target_label="Gone Inc")
    make_audit(cast.tokens["manager"], target_label="Yesterday Inc", at=now - timedelta(hours=25))
    make_audit(cast.tokens["member"], target_label="Also Gone Inc", at=now - timedelta(hours=23))
    make_audit(cast.tokens["manager"], target_label="Still Here Inc", result=Result.REFUSED, status=409)
    make_audit(cast.tokens["outsider"], target_label="Elsewhere Inc")
    for token in ("manager", "member", "manager", "outsider"):
        make_call(cast.tokens[token], "delete_client")
    page = _page(browse("owner"))
    card = _words(page, "deletions-title")
    assert card.startswith("2 deletions by 2 tokens in the last 24 hours 3 attempted")
    assert "Claude Desktop with manager's laptop" in card
    for absent in ("Yesterday Inc", "Still Here Inc", "Elsewhere Inc"):
        assert absent not in card
    panel = page.partition('id="deletions-title"')[2].partition("</section>")[0]
    assert f'href="/audit/{gone.call_id}/"' in panel
    assert f'href="/tokens/{cast.tokens["manager"].pk}/"' in panel
    assert _words(_page(browse("member")), "deletions-title").startswith("1 deletion by 1 token in the last 24 hours")


def test_without_deletions_the_card_says_so_and_shows_the_latest(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"], target_label="Yesterday Inc", at=timezone.now() - timedelta(hours=25))
    card = _words(_page(browse("owner")), "deletions-title")
    assert card.startswith("No deletions in the last 24 hours")
    assert "Yesterday Inc" in card


def test_what_is_more_than_three_is_folded(cast: Cast, browse: Browse) -> None:
    now = timezone.now()
    for number in range(5):
        make_client(cast.tokens["owner"], name=f"Assistant {number}", first_seen_at=now - timedelta(minutes=number))
        make_audit(cast.tokens["manager"], at=now - timedelta(hours=2), result=None)
    page = _page(browse("owner"))
    for title in ("attention-title", "signals-title"):
        shown, _, folded = page.partition(f'id="{title}"')[2].partition("</section>")[0].partition("Show all ")
        assert shown.count("<li") == 3
        assert int(re.match(r"\d+", folded)[0]) == 3 + folded.count("<li")  # type: ignore[index]


def test_calls_are_counted_by_day_and_kind(cast: Cast, stop_clock: Callable[[datetime], None]) -> None:
    token = cast.tokens["owner"]
    now = timezone.now()
    stop_clock(now)
    midnight = datetime.combine(now.date(), time(), UTC)
    make_call(token, at=midnight)
    make_call(token, at=midnight - timedelta(microseconds=1))
    make_call(token, "update_task", at=midnight - timedelta(days=6))
    make_call(token, "delete_client", at=midnight - timedelta(days=6))
    make_call(token, "delete_client", at=midnight - timedelta(days=6), result=Result.REFUSED)
    make_call(token, at=midnight - timedelta(days=6, microseconds=1))
    make_call(cast.tokens["outsider"], at=midnight)
    days = calls_over_time(Viewer(cast.people["owner"], []), 7)
    assert [day.total for day in days] == [3, 0, 0, 0, 0, 1, 1]
    assert days[0].counts == {"read": 0, "write": 1, "destructive": 1, "refused": 1}
    assert days[-1].start == midnight


def test_the_last_day_is_counted_by_the_hour(
    cast: Cast, browse: Browse, stop_clock: Callable[[datetime], None]
) -> None:
    now = timezone.now()
    stop_clock(now)
    make_call(cast.tokens["owner"], at=now)
    make_call(cast.tokens["owner"], at=now - timedelta(hours=24))
    hours = calls_over_time(Viewer(cast.people["owner"], []), 1)
    assert [hour.total for hour in hours] == [0] * 23 + [1]
    assert "1 call in 24 hours: 1 read" in browse("owner").get("/?days=1").content.decode()


@pytest.mark.parametrize("asked", ["", "?days=7", "?days=1000", "?days=x", "?days="])
def test_a_period_that_is_not_on_offer_is_the_usual_one(browse: Browse, asked: str) -> None:
    assert "Calls, 7 days" in browse("owner").get(f"/{asked}").content.decode()


def test_who_sees_only_their_own_has_their_own_chart(cast: Cast) -> None:
    for name in ("owner", "manager", "manager", "outsider"):
        make_call(cast.tokens[name])
    assert calls_over_time(Viewer(cast.people["manager"], []), 7)[-1].total == 2
    assert calls_over_time(Viewer(cast.people["owner"], []), 30)[-1].total == 3


def test_tokens_are_counted_by_role_and_last_use(cast: Cast) -> None:
    now = timezone.now()
    make_token(cast.org_id, "cccccccccccc", role="MEMBER", last_used_at=now - timedelta(days=8))
    make_token(cast.org_id, "dddddddddddd", role="", last_used_at=now - timedelta(days=300))
    table = tokens_in_use(Viewer(cast.people["owner"], []))
    assert [(role, [count for count, _ in cells]) for role, cells in table] == [
        ("OWNER", [1, 1, 1, 1]),
        ("ADMIN", [1, 1, 1, 1]),
        ("MANAGER", [1, 1, 1, 1]),
        ("MEMBER", [1, 1, 2, 2]),
        ("", [0, 0, 0, 1]),
    ]


def test_assistants_are_named_once_for_all_versions_with_their_tokens(cast: Cast, browse: Browse) -> None:
    make_client(cast.tokens["owner"], name="Cursor", version="1")
    make_client(cast.tokens["owner"], name="Cursor", version="2")
    make_client(cast.tokens["admin"], name="Cursor", version="2")
    card = _words(_page(browse("owner")), "assistants-title")
    assert card.count("Cursor") == 1
    assert "2 tokens" in card


def test_the_chart_can_be_read_without_seeing_it(cast: Cast, browse: Browse) -> None:
    make_call(cast.tokens["owner"])
    page = _page(browse("owner"))
    assert 'role="img" aria-labelledby="chart-svg-title chart-svg-desc"' in page
    assert "1 call in 7 days: 1 read, 0 write, 0 destructive, 0 refused or failed. The busiest day had 1." in page
    assert ">Calls by day (UTC)</caption>" in page


def test_bars_stay_in_the_picture_and_show_one_call_among_thousands() -> None:
    today = timezone.now()
    busy = Span(today, {"read": 1_000_000, "write": 1, "destructive": 1, "refused": 1})
    quiet = Span(today, {"read": 0, "write": 0, "destructive": 1, "refused": 0})
    chart = draw([busy, quiet, Span(today)])
    assert all(segment.y >= -0.2 for bar in chart.bars for segment in bar.segments)
    assert all(segment.y + segment.height <= HEIGHT + 0.2 for bar in chart.bars for segment in bar.segments)
    assert [len(bar.segments) for bar in chart.bars] == [4, 1, 0]
    assert chart.bars[1].segments[0].height >= 2


def test_a_chart_of_nothing_is_empty() -> None:
    assert draw([]).bars == []
    assert draw([Span(timezone.now())]).most == 0


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=2), "2 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=44), "44 min ago"),
        (timedelta(minutes=46), "1 h ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(hours=23, minutes=40), "1 day ago"),
        (timedelta(days=30), "30 days ago"),
        (timedelta(days=31), "23 Oct 2026"),
    ],
)
def test_times_read_as_people_say_them(age: timedelta, words: str) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert relative(now - age, now) == words


def test_assistants_have_marks_of_two_letters() -> None:
    names = ["Claude Desktop", "cursor", "n8n", "@", "", "Visual Studio Code", "é"]
    assert [initials(name) for name in names] == ["CD", "CU", "N8", "?", "?", "VS", "É"]
    assert all(0 <= tint(name) < 6 for name in names)
