"""Every number of rows on every page equals the rows that its link shows, whoever looks."""

import html
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from hoursmith_console.connections.services import create_connection
from hoursmith_console.core.lists.counting import BoundedCount, bounded_count, count_text
from hoursmith_console.core.templatetags.counts import count
from hoursmith_console.token_policy.models import TokenPolicy
from mcpbridge.activity.batch import Batch, write_batch
from mcpbridge.activity.observed import EndedCall
from mcpbridge.activity.retention import ACTION
from mcpbridge.audit.console_events import record_event
from mcpbridge.core.types import CallResult, Identity
from mcpbridge.models import (
    CallHour,
    CallKind,
    ObservedToken,
    Result,
    TokenNetwork,
    TokenTool,
    ToolCall,
)
from tests.call_records import a_call
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_grant, make_token
from tests.page_walk import kind_of
from tests.security.conftest import populate

Browse = Callable[[str], Client]
OK = CallResult(Result.SUCCEEDED, 200, "", 3.0)
REFUSED = CallResult(Result.REFUSED, 403, "forbidden_scope", 3.0)
FAILED = CallResult(Result.FAILED, 502, "upstream_error", 3.0)
REVOKED = CallResult(Result.REFUSED, 401, "unauthenticated", 3.0)
# How each token was used: kind, result, number of calls, and how many hours ago.
USES = {
    "owner": [
        (CallKind.READ, OK, 57, 0),
        (CallKind.WRITE, OK, 3, 30),
        (CallKind.DESTRUCTIVE, OK, 2, 1),
        (CallKind.READ, REVOKED, 1, 0),
    ],
    "manager": [
        (CallKind.READ, OK, 4, 2),
        (CallKind.DESTRUCTIVE, OK, 12, 3),
        (CallKind.DESTRUCTIVE, REFUSED, 2, 3),
        (CallKind.WRITE, FAILED, 1, 26),
        (CallKind.DESTRUCTIVE, OK, 1, 200),
    ],
    # A token with the scope read alone: it destroyed nothing.
    "member": [(CallKind.READ, OK, 2, 0), (CallKind.DESTRUCTIVE, REFUSED, 1, 5)],
}
# Numbers beside these words count no rows of a list: they are settings, amounts of time, or what was lost.
_NOUNS = r"(?:tool |destructive |active |leaked )?(?:calls?|deletions?|tokens?|rotations?|connections?|members?)"
_BARE = re.compile(rf"\b\d[\d,]*\+? {_NOUNS}\b(?! (?:were|was) not logged)")


def _use(cast: Cast, person: str, connection: str) -> Iterator[EndedCall]:
    token, now = cast.tokens[person], timezone.now()
    role, scopes = person.upper(), ("read",) if person == "member" else ("read", "write")
    identity = Identity(cast.org_id, "Acme", "agency", role, f"{person}'s laptop", scopes)
    for kind, result, times, hours in USES[person]:
        for number in range(times):
            caller = {
                "prefix": token.prefix,
                "client_name": ("Cursor", "Claude Desktop")[number % 2],
                "connection": connection if number % 3 == 0 else "",
            }
            at = now - timedelta(hours=hours, seconds=number)
            yield EndedCall(a_call(kind=kind, identity=identity, caller=caller, at=at), result, True)


@pytest.fixture
def worked(cast: Cast, settings: Any) -> None:
    """A workspace in which something of every kind is, and whose calls were written as the bridge writes them."""
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.2"]
    populate(cast, cast.workspace, cast.people["owner"], cast.tokens["owner"], "Mark")
    for model in (ToolCall, CallHour, TokenTool, TokenNetwork):
        model.objects.all().delete()
    ObservedToken.objects.update(calls_read=0, calls_write=0)
    connection = create_connection(
        workspace=cast.workspace,
        owner=cast.people["manager"],
        client="cursor",
        label="Desk",
        access="full",
        actor="x",
    )
    for name, number in (("owner", 2), ("manager", 3)):
        for _ in range(number):
            make_grant(cast.tokens[name], connection=connection.slug if name == "manager" else "")
    with transaction.atomic():
        write_batch("default", Batch(ended=[each for name in USES for each in _use(cast, name, connection.slug)]))
    now = timezone.now()
    for number in range(12):
        make_audit(cast.tokens["manager"], at=now - timedelta(hours=3, seconds=number))
    make_audit(cast.tokens["owner"], at=now - timedelta(hours=1))
    make_audit(cast.tokens["manager"], at=now - timedelta(hours=3), result=Result.REFUSED, status=409)
    make_audit(cast.tokens["manager"], at=now - timedelta(hours=200))
    make_token(cast.org_id, "cccccccccccc", role="", calls_read=0, calls_write=0, last_used_at=now - timedelta(days=60))
    make_token(cast.org_id, "dddddddddddd", role="MEMBER", calls_read=0, calls_write=0)
    TokenPolicy.objects.update_or_create(
        workspace=cast.workspace, defaults={"max_age_days": 15, "max_idle_days": 30, "warn_days": 10}
    )


def _main(page: str) -> str:
    return page.partition("<main")[2] or page


def _links(page: str, address: str) -> list[str]:
    found = re.findall(r'<a[^>]*\shref="([^"#]+)', page)
    return [urljoin(address, html.unescape(link)) for link in found]


def _pages(client: Client) -> Iterator[tuple[str, str]]:
    """The pages that somebody reaches by links, the first of each kind, and other periods of the overview."""
    waiting, known = deque(["/", "/?days=1", "/?days=30"]), {"/"}
    while waiting:
        address = waiting.popleft()
        answer = client.get(address, follow=True)
        if answer.status_code != 200 or answer.streaming or "html" not in answer.headers["Content-Type"]:
            continue
        page = answer.content.decode()
        yield address, page
        for link in _links(page, address):
            parts = urlsplit(link)
            if not parts.netloc and parts.path.startswith(_AREAS) and kind_of(link) not in known:
                known.add(kind_of(link))
                waiting.append(link)


# The next page, or the rest of a search that has not seen everything.
_NEXT = re.compile(r'href="([^"]*)" rel="next"|class="in-text" href="(\?[^"]*)">Load')
_AREAS = ("/tokens/", "/audit/", "/activity/", "/rotations/", "/connections/", "/approvals/", "/members/", "/settings/")


def _counts(page: str, address: str) -> Iterator[tuple[str, str]]:
    """The counts of a page: the address of the rows, and the number."""
    for tag in re.findall(r"<a\s[^>]*data-count=[^>]*>", page):
        number, link = re.search(r'data-count="([^"]*)"', tag), re.search(r'href="([^"]*)"', tag)
        assert number, tag
        assert link, tag
        yield urljoin(address, html.unescape(link[1])), number[1]


def _rows(client: Client, address: str) -> int:
    """The rows of a list, through all of its pages. Checks the total that the list itself states."""
    rows, total, following = 0, "", address
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, following
        page = _main(answer.content.decode())
        rows += sum(body.count('<tr role="row"') for body in re.findall(r"<tbody[^>]*>(.*?)</tbody>", page, re.DOTALL))
        for listed in re.findall(r'<ul class="(?:approvals|bullets|todo)">(.*?)</ul>', page, re.DOTALL):
            rows += len(re.findall(r"<li\b", listed))
        said = re.search(r'class="list-total number">\s*([\d,]+) (?!shown)', page)
        total = total or (said[1].replace(",", "") if said else "")
        older = _NEXT.search(page)
        following = urljoin(address, html.unescape(older[1] or older[2])) if older else ""
    assert total in ("", str(rows)), f"{address} says {total} and has {rows} rows"
    return rows


def _text_without_counts(page: str) -> str:
    """What a page says, without its counts, the totals of lists, headings of what follows, pictures and controls."""
    page = re.sub(r"<a\s[^>]*data-count=.*?</a>", " ", _main(page), flags=re.DOTALL)
    page = re.sub(r'<p class="list-total.*?</p>|<h[12]\b.*?</h[12]>', " ", page, flags=re.DOTALL)
    page = re.sub(
        r'<details class="rule".*?</details>|<span class="cell-label">.*?</span>|<td[^>]* class="what\b.*?</td>',
        " ",
        page,
        flags=re.DOTALL,
    )
    for element in ("svg", "time", "select", "textarea", "button", "form"):
        page = re.sub(rf"<{element}\b.*?</{element}>", " ", page, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


@pytest.mark.usefixtures("worked")
@pytest.mark.parametrize("person", ["owner", "manager", "member"])
def test_every_number_equals_the_rows_that_its_link_shows(trusted: Browse, person: str) -> None:
    client = trusted(person)
    compared: set[tuple[str, str]] = set()
    wrong, bare = [], {}
    for address, page in _pages(client):
        # At once: what somebody opens is itself written down.
        for rows, number in set(_counts(page, address)) - compared:
            compared.add((rows, number))
            if (found := str(_rows(client, rows))) != number:
                wrong.append(f"{address} says {number}, and {rows} has {found}")
        text = _text_without_counts(page)
        if alone := [text[max(0, each.start() - 60) : each.end() + 30] for each in _BARE.finditer(text)]:
            bare[address] = alone
    assert (wrong, bare) == ([], {})
    assert len(compared) >= {"owner": 60, "manager": 30, "member": 20}[person]


@pytest.mark.usefixtures("worked")
def test_choices_of_filters_count_what_they_would_show(browse: Browse) -> None:
    client = browse("owner")
    page = client.get("/tokens/").content.decode()
    offered = re.findall(r'<select id="[^"]*" name="(\w+)">(.*?)</select>', page, re.DOTALL)
    counted = {
        (name, value): number
        for name, options in offered
        for value, number in re.findall(r'<option value="([^"]+)"[^>]*>[^<]*\((\d+)\)</option>', options)
    }
    assert len(counted) > 5
    assert {key: str(_rows(client, f"/tokens/?{key[0]}={key[1]}")) for key in counted} == counted


@pytest.mark.usefixtures("worked")
def test_a_token_that_may_only_read_destroyed_nothing(cast: Cast, browse: Browse) -> None:
    page = browse("owner").get(f"/tokens/{cast.tokens['member'].pk}/").content.decode()
    panel = " ".join(re.sub(r"<[^>]+>", " ", page.partition('id="counts-title"')[2].partition("</section>")[0]).split())
    assert "Destructive 0 calls · 1 attempted" in panel


def test_rows_beyond_the_bound_are_not_counted(cast: Cast) -> None:
    found = bounded_count(ObservedToken.objects.all(), 3)
    assert (found, found.is_cut, count_text(found)) == (4, True, "3+")
    assert 'data-count="3+"' in count(found, "/tokens/")
    assert count_text(BoundedCount(3, 3)) == "3"
    assert count_text(12_345) == "12,345"


@pytest.mark.usefixtures("worked")
def test_a_number_whose_calls_are_not_kept_any_more_is_no_link(cast: Cast, browse: Browse) -> None:
    client, token = browse("owner"), cast.tokens["manager"]
    edge = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    ToolCall.objects.filter(at__lt=edge).delete()
    record_event(
        org_id=cast.org_id, action=ACTION, actor="x", target_type="activity", details={"before": edge.isoformat()}
    )
    ObservedToken.objects.filter(pk=token.pk).update(first_used_at=edge - timedelta(days=9))
    for address in (f"/tokens/{token.pk}/", "/tokens/", "/?days=30"):
        page = client.get(address).content.decode()
        for rows, number in set(_counts(page, address)):
            assert str(_rows(client, rows)) == number, (address, rows)
        if address != "/?days=30":
            assert 'title="Older entries have been removed from the log.">13' in page
