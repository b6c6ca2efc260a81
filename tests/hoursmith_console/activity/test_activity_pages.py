"""The activity area: filters that can be shared, pages that cost the same at any depth."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.connections.models import Connection
from mcpbridge.models import Result, ToolCall
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import call_row, make_call, make_client
from tests.token_shapes import assembled_token

Browse = Callable[[str], Client]
ROWS = re.compile(r'href="/activity/(\d+)/"')
OLDER = re.compile(r'href="(\?[^"]*)" rel="next"')
NEWER = re.compile(r'href="(\?[^"]*)" rel="prev"')


def _get(client: Client, query: str = "") -> str:
    answer = client.get(f"/activity/{query}")
    assert answer.status_code == 200
    return answer.content.decode().replace("&amp;", "&")


def _found(page: str) -> list[int]:
    return [int(key) for key in ROWS.findall(page)]


def test_paging_shows_every_call_once_even_at_the_same_instant(cast: Cast, browse: Browse) -> None:
    start = timezone.now().replace(microsecond=0)
    # Batches share instants: 7 a second, across page borders.
    rows = [call_row(cast.tokens["owner"], at=start - timedelta(seconds=number // 7)) for number in range(173)]
    ToolCall.objects.bulk_create(rows)
    expected = list(ToolCall.objects.order_by("-at", "-pk").values_list("pk", flat=True))
    visitor, query, forward, pages = browse("owner"), "", [], []
    while True:
        page = _get(visitor, query)
        pages.append(_found(page))
        forward += pages[-1]
        if not (match := OLDER.search(page)):
            break
        query = match[1]
    assert forward == expected
    assert [len(found) for found in pages] == [50, 50, 50, 23]
    backward = [pages.pop()]
    while match := NEWER.search(page):
        page = _get(visitor, match[1])
        assert _found(page) == pages[-1]
        backward.append(pages.pop())
    assert pages == []


def test_older_pages_keep_the_filters(cast: Cast, browse: Browse) -> None:
    rows = [call_row(cast.tokens["owner"], "update_task" if number % 2 else "get_me") for number in range(140)]
    ToolCall.objects.bulk_create(rows)
    page = _get(browse("owner"), "?tool=get_me&unknown=1")
    query = OLDER.search(page)
    assert query is not None
    assert "tool=get_me" in query[1]
    assert "unknown" not in query[1]
    older = _get(browse("owner"), query[1])
    assert len(_found(older)) == 20
    assert "update_task</code>" not in older


@pytest.mark.parametrize(
    "query",
    [
        "?before=nonsense",
        "?before=20261123T101010.000001_notakey",
        "?before=_",
        "?after=99999999999999999999_1",
        "?before=20261123T101010.000001_" + "9" * 40,
        "?p=7&o=1&all=&_popup=1&e=1",
        "?org_id=org-globex",
        "?org_id__startswith=org",
        "?arguments__x=1",
        "?since=2026-13-45&until=nope",
        "?until=9999-12-31&since=0001-01-01",
        "?kind=nonsense&result=&tool=%00&token=live_zzz&assistant=",
        "?q=%00",
        "?q=" + "x" * 5000,
        "?_to_field=id&_facets=True",
        "?_to_field=x&_popup=1&_source_model=x.y",
    ],
)
def test_a_faulty_address_still_shows_the_list(cast: Cast, browse: Browse, query: str) -> None:
    make_call(cast.tokens["owner"])
    _get(browse("owner"), query)


@pytest.mark.parametrize("query", ["?since=yesterday", "?until=30.11.2026&range=1h", "?since=2026-03-01T25:00"])
def test_a_time_that_cannot_be_read_is_told_so(cast: Cast, browse: Browse, query: str) -> None:
    make_call(cast.tokens["owner"])
    text = _get(browse("owner"), query)
    assert "cannot be read" in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?kind=read", {"a", "d"}),
        ("?kind=write", {"b"}),
        ("?kind=destructive", {"c"}),
        ("?result=refused", {"b"}),
        ("?result=failed", {"c"}),
        ("?result=unsuccessful", {"b", "c"}),
        ("?tool=update_task", {"b"}),
        ("?assistant=Cursor", {"d"}),
        ("?token=live_1a2c1bdedf00", {"d"}),
        ("?token=live_1a2c1bdedf00&kind=write", set()),
        ("?since=2026-03-02&until=2026-03-03", {"b", "c"}),
        ("?until=2026-03-02", {"a", "b"}),
        ("?since=2026-03-04", {"d"}),
        ("?since=2026-03-01T12:00&until=2026-03-01T12:00", {"a"}),
        ("?since=2026-03-01T14:00%2B02:00&until=2026-03-01T14:00%2B02:00", {"a"}),
        ("?since=2026-03-01T14:00+02:00&until=2026-03-01T14:00+02:00", {"a"}),
        ("?since=2026-03-01T07:00-05:00&until=2026-03-01T12:00Z", {"a"}),
        ("?since=2026-03-01T12:00%2B02:00&until=2026-03-01T12:00%2B02:00", set()),
        ("?since=yesterday", set()),
        ("?until=2026-13-45&kind=read", set()),
        ("?since=2026-03-01T12:01&until=2026-03-03T23:58", {"b"}),
        ("?range=30d", set()),
        ("?range=30d&kind=read", set()),
        ("?kind=read&assistant=Cursor", {"d"}),
        ("?connection=c-ana", {"c"}),
        ("?connection=c-ana&kind=destructive&result=failed&tool=delete_client", {"c"}),
        ("?target=task:t-1", {"b"}),
        ("?target=client:t-1", set()),
        ("?target=task:t-1&q=label", {"b"}),
        ("?q=nowhere", set()),
        ("?q=label-b", {"b"}),
        ("?q=CURSOR", {"d"}),
        ("?q=hsk_live_1a2c1bdedf00", {"d"}),
        ("?q=hsk_live_1a2c1bdedf00_%E2%80%A2%E2%80%A2%E2%80%A2%E2%80%A2", {"d"}),
    ],
)
def test_calls_are_filtered_by_the_address(cast: Cast, browse: Browse, query: str, expected: set[str]) -> None:
    owner, admin = cast.tokens["owner"], cast.tokens["admin"]
    make_client(admin, name="Cursor")
    Connection.objects.create(
        workspace=cast.workspace, owner=cast.people["owner"], slug="c-ana", client="cursor", label="Ana"
    )
    task = {"target_type": "task", "target_id": "t-1"}
    make_call(owner, "list_clients", datetime(2026, 3, 1, 12, tzinfo=UTC), target_label="label-a")
    make_call(
        owner, "update_task", datetime(2026, 3, 2, tzinfo=UTC), target_label="label-b", result=Result.REFUSED, **task
    )
    late = datetime(2026, 3, 3, 23, 59, 59, 999999, tzinfo=UTC)
    make_call(owner, "delete_client", late, target_label="label-c", result=Result.FAILED, connection="c-ana")
    make_call(admin, "get_me", datetime(2026, 3, 4, tzinfo=UTC), target_label="label-d", client_name="Cursor")
    page = _get(browse("owner"), query)
    assert set(re.findall(r'<span class="second name">(?:<a [^>]*>)?label-(\w)', page)) == expected


def test_a_members_calls_are_those_of_their_tokens(cast: Cast, browse: Browse) -> None:
    for name in ("owner", "manager", "outsider"):
        make_call(cast.tokens[name], target_label=f"label-{name[0]}")
    manager = cast.people["manager"].pk
    assert "label-m" in _get(browse("owner"), f"?member={manager}")
    assert "label-o" not in _get(browse("owner"), f"?member={manager}")
    # Who sees only their own tokens has no such filter, and whose workspace is another has no such member.
    assert "label-m" in _get(browse("manager"), f"?member={cast.people['owner'].pk}")
    foreign = _get(browse("owner"), f"?member={cast.people['outsider'].pk}")
    assert "label-o" in foreign
    assert len(_found(foreign)) == 2


@pytest.mark.parametrize("query", ["target=task:t-1", "connection=c-ana", "tool=get_me", "token=live_4a2c1bdedf00"])
def test_no_filter_leads_into_another_workspace(cast: Cast, browse: Browse, query: str) -> None:
    make_call(
        cast.tokens["outsider"],
        "get_me",
        target_type="task",
        target_id="t-1",
        target_label="Secret",
        connection="c-ana",
    )
    for page in (_get(browse("owner"), f"?{query}"), browse("owner").get(f"/audit/?{query}").content.decode()):
        assert "Secret" not in page
        assert _found(page) == []


@pytest.mark.parametrize("area", ["activity", "tokens", "audit"])
def test_a_whole_token_in_the_search_is_cut_down_at_once(browse: Browse, area: str) -> None:
    secret = "Zq7" * 11
    token = assembled_token(secret=secret)
    answer = browse("owner").get(f"/{area}/?q={quote(token)}&kind=read")
    assert answer.status_code == 302
    assert answer["Location"] == f"/{area}/?q=hsk_live_4f8a2c1bdedf&kind=read"
    broken = browse("owner").get(f"/{area}/?q={quote('hsk_live_' + secret[:20])}")
    assert broken.status_code == 302
    assert secret[:8] not in broken["Location"]


def test_the_page_of_a_call_tells_who_what_and_how_it_ended(cast: Cast, browse: Browse) -> None:
    call = make_call(
        cast.tokens["member"],
        "create_client",
        result=Result.REFUSED,
        status=403,
        code="forbidden_scope",
        arguments={"name": "Hooli", "defaultRate": 12},
    )
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", browse("owner").get(f"/activity/{call.pk}/").content.decode()))
    assert "called create_client" in page
    assert "refused, 403 forbidden_scope, in 34 ms." in page
    assert "This token does not have permission to do that." in page
    assert "Default rate" in page
    assert "audit log</a>" not in page


def test_an_empty_list_leads_to_the_first_step_and_a_narrow_one_back(cast: Cast, browse: Browse) -> None:
    assert "No tool calls yet." in _get(browse("owner"))
    assert "Show all" in _get(browse("owner"), "?kind=read")
