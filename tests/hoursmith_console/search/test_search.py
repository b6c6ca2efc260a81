"""The search over everything: each kind is found by those who may see it, and an id or a single hit opens its page."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.connections.services import create_connection
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.services import start_rotation
from mcpbridge.core.ids import new_id, new_text_id
from mcpbridge.models import LogDestination
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call, make_client, make_token
from tests.token_shapes import assembled_token

Browse = Callable[[str], Client]
ODD = ["", " ", "z", "\0", "\u202e", "%", "'; --", "<script>", "[" * 200, "hsk_live_", "x" * 5000]
KINDS = {
    "Tokens": "Zebra laptop",
    "Members": "Manager Person",
    "Connections": "Zebra desk",
    "Assistants": "Zebra Code",
    "Rotations": "Zebra laptop",
    "Campaigns": "Zebra campaign",
    "Log destinations": "Zebra archive",
    "Audit log": "Zebra Industries",
}


@pytest.fixture
def zoo(cast: Cast) -> Cast:
    """One object of each kind, of the manager where it has an owner."""
    manager, token = cast.people["manager"], cast.tokens["manager"]
    token.token_name = "Zebra laptop"
    token.save()
    make_client(token, name="Zebra Code")
    create_connection(
        workspace=cast.workspace, owner=manager, client="cursor", label="Zebra desk", access="full", actor="x"
    )
    start_rotation(
        env=token.env, prefix=token.prefix, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="Ana", reason=""
    )
    Campaign.objects.create(workspace=cast.workspace, title="Zebra campaign", due_on=date(2031, 1, 2), requested_by="A")
    LogDestination.objects.create(
        org_id=cast.org_id, name="Zebra archive", kind="file", format="json", address="zebra.jsonl", created_by="A"
    )
    make_audit(token, target_label="Zebra Industries", token_name="Zebra laptop")
    return cast


def _groups(page: str) -> dict[str, str]:
    """The groups on the page of results, each with its part of the page."""
    parts = re.split(r'<h2 id="group-\d+">', page)[1:]
    return {part.partition("<")[0]: part for part in parts}


def test_every_kind_of_object_is_found(zoo: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    found = _groups(visitor.get("/search/", {"q": "zebra"}).content.decode())
    for kind, name in KINDS.items():
        if kind != "Members":
            assert name in found[kind], kind
    for kind, part in found.items():
        for address in re.findall(r'<a class="brief-what" href="([^"]+)"', part):
            assert visitor.get(address.replace("&amp;", "&")).status_code == 200, (kind, address)


def test_a_member_finds_what_they_may_see_and_nothing_else(zoo: Cast, browse: Browse) -> None:
    own = _groups(browse("manager").get("/search/", {"q": "zebra"}).content.decode())
    assert set(own) == {"Tokens", "Connections", "Assistants", "Rotations", "Audit log"}
    for person in ("member", "outsider"):
        page = browse(person).get("/search/", {"q": "zebra"}).content.decode()
        assert _groups(page) == {}, person
        assert "matches “zebra”" in page


def test_ids_open_their_pages(zoo: Cast, browse: Browse) -> None:
    token, record, asked = zoo.tokens["manager"], uuid4(), new_text_id()
    call = make_call(token, request_id=asked)
    entry = make_audit(token, target_type="client", target_id=str(record))
    pages = {
        token.prefix: None,
        f"live_{token.prefix}": f"/tokens/{token.pk}/",
        token.masked_token: f"/tokens/{token.pk}/",
        str(call.call_id): f"/activity/{call.pk}/",
        asked: f"/activity/{call.pk}/",
        str(entry.call_id): f"/audit/{entry.call_id}/",
        entry.call_id.hex: f"/audit/{entry.call_id}/",
        str(record): f"/audit/?target=client%3A{record}",
        "MANAGER@example.com": f"/members/{zoo.people['manager'].pk}/",
    }
    for query, page in pages.items():
        for person in ("owner", "manager"):
            answer = browse(person).get("/search/", {"q": query})
            assert page is None or answer.headers.get("Location") == page, (person, query)
        for person in ("member", "outsider"):
            answer = browse(person).get("/search/", {"q": query})
            assert answer.status_code == 200, (person, query)
            assert set(_groups(answer.content.decode())) <= {"Help"}, (person, query)


@pytest.mark.parametrize("query", ["00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"])
def test_an_id_from_the_end_of_time_finds_nothing(browse: Browse, query: str) -> None:
    assert browse("owner").get("/search/", {"q": query}).status_code == 200


def test_a_single_hit_opens_its_page(zoo: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    assert visitor.get("/search/", {"q": "zebra campaign"}).headers["Location"].startswith("/rotations/campaigns/")
    assert visitor.get("/search/", {"q": "zebra archive"}).headers["Location"].startswith("/audit/destinations/")


def test_the_link_to_all_hits_leads_to_as_many_rows(cast: Cast, browse: Browse) -> None:
    for number in range(7):
        make_token(cast.org_id, f"9{number:011d}", name=f"Yak {number}")
    visitor = browse("owner")
    part = _groups(visitor.get("/search/", {"q": "yak"}).content.decode())["Tokens"]
    assert part.count('class="brief-what"') == 5
    assert "All 7 tokens" in part
    assert visitor.get("/tokens/?q=yak").content.decode().count("Yak ") >= 7
    assert visitor.get("/members/?q=manager").content.decode().count('<td role="cell" class="what">') == 1


@pytest.mark.parametrize("query", ODD)
def test_any_query_is_answered(zoo: Cast, browse: Browse, query: str) -> None:
    answer = browse("owner").get("/search/", {"q": query})
    assert answer.status_code in (200, 302)
    assert b"<script>" not in answer.content.replace(b"<script src", b"")


def test_nothing_found_says_so_and_what_to_try(browse: Browse) -> None:
    page = browse("owner").get("/search/", {"q": "zqnothing"}).content.decode()
    assert "matches “zqnothing”" in page
    assert "Try a name" in page


def test_a_pasted_token_is_cut_before_it_is_searched(cast: Cast, browse: Browse) -> None:
    token = assembled_token(prefix=cast.tokens["manager"].prefix)
    answer = browse("owner").get("/search/", {"q": token})
    assert answer.headers["Location"] == f"/search/?q={token[:21]}"
    followed = browse("owner").get(answer.headers["Location"])
    assert followed.headers["Location"] == f"/tokens/{cast.tokens['manager'].pk}/"


def test_a_search_asks_little(zoo: Cast, browse: Browse, django_assert_max_num_queries: Any) -> None:
    for person in ("owner", "manager"):
        visitor = browse(person)
        for query in ("zebra", str(new_id()), "zqnothing"):
            with django_assert_max_num_queries(27) as asked:
                visitor.get("/search/", {"q": query})
            counted = [each["sql"] for each in asked.captured_queries if "COUNT(" in each["sql"].upper()]
            assert not [sql for sql in counted if "auditevent" in sql or "toolcall" in sql]
