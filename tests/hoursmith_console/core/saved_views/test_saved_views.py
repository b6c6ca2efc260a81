"""Views that people keep: theirs alone, without a place in the list, without a token's secret."""

from collections.abc import Callable

import pytest
from django.test import Client

from hoursmith_console.core.saved_views.models import NAME_LENGTH, SavedView
from hoursmith_console.core.saved_views.services import MOST_VIEWS, view_save
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.token_shapes import assembled_token

Browse = Callable[[str], Client]
QUERY = "tool=delete_client&range=24h"


def _save(client: Client, name: str = "Deleted last night", query: str = QUERY, area: str = "audit") -> str:
    """What the list says after the form was sent."""
    return client.post(f"/{area}/views/", {"name": name, "query": query}, follow=True).content.decode()


@pytest.mark.parametrize("area", ["tokens", "audit", "activity"])
def test_a_view_is_saved_opened_and_removed(cast: Cast, browse: Browse, area: str) -> None:
    visitor = browse("member")
    query = "env=live" if area == "tokens" else "range=24h"
    assert "Save these filters as" in visitor.get(f"/{area}/?{query}").content.decode()
    assert "Saved as “Mine”" in _save(visitor, "Mine", f"before=20261125T000000.000000_1&live=1&{query}", area)
    view = SavedView.objects.get()
    assert (view.member, view.area, view.query) == (cast.people["member"], area, query)
    assert f'href="/{area}/?{query}"' in visitor.get(f"/{area}/").content.decode()
    answer = visitor.post(f"/{area}/views/{view.pk}/remove/", {"query": query})
    assert answer.headers["Location"] == f"/{area}/?{query}"
    assert not SavedView.objects.exists()


def test_a_view_of_the_same_name_is_replaced(browse: Browse) -> None:
    visitor = browse("owner")
    _save(visitor)
    _save(visitor, query="outcome=failed")
    assert SavedView.objects.get().query == "outcome=failed"


def test_nobody_sees_or_removes_anybody_elses_view(cast: Cast, browse: Browse) -> None:
    view = view_save(member=cast.people["owner"], area="audit", name="Of the owner", query=QUERY)
    for name in ("admin", "outsider"):
        assert "Of the owner" not in browse(name).get("/audit/").content.decode()
        assert browse(name).post(f"/audit/views/{view.pk}/remove/").status_code == 404
    # Nor as a view of another list.
    assert browse("owner").post(f"/tokens/views/{view.pk}/remove/").status_code == 404
    assert SavedView.objects.exists()


@pytest.mark.parametrize("address", ["/audit/views/", "/audit/views/1/remove/"])
def test_strangers_are_sent_to_sign_in_and_a_link_changes_nothing(browse: Browse, address: str) -> None:
    assert browse("anonymous").post(address).headers["Location"].startswith("/accounts/login/")
    assert browse("owner").get(address).status_code == 405


@pytest.mark.parametrize(
    ("name", "query", "why"),
    [
        ("", QUERY, "A view needs a name."),
        ("x" * (NAME_LENGTH + 1), QUERY, "at most 60 characters"),
        ("All", "live=1", "Choose a filter first."),
        ("Long", "q=" + "x" * 1200, "Shorten the search."),
    ],
)
def test_what_cannot_be_saved_is_said(browse: Browse, name: str, query: str, why: str) -> None:
    said = _save(browse("owner"), name, query)
    assert "The view was not saved." in said
    assert why in said
    assert not SavedView.objects.exists()


def test_more_than_so_many_views_of_a_list_are_not_kept(cast: Cast, browse: Browse) -> None:
    for number in range(MOST_VIEWS):
        view_save(member=cast.people["owner"], area="audit", name=f"View {number}", query=QUERY)
    assert "Remove one first." in _save(browse("owner"), "One more")
    assert SavedView.objects.count() == MOST_VIEWS
    assert "Saved as" in _save(browse("owner"), "View 7", "outcome=failed")


def test_a_token_is_kept_by_its_public_part_alone(browse: Browse) -> None:
    token = assembled_token(secret="Zq7" * 11)
    _save(browse("owner"), "About it", f"q={token}")
    assert SavedView.objects.get().query == "q=hsk_live_4f8a2c1bdedf"


def test_a_token_is_no_name_of_a_view(browse: Browse) -> None:
    page = _save(browse("owner"), f"About {assembled_token(secret='Zq7' * 11)}", "q=Globex")
    assert "looks like a Hoursmith token" in page
    assert "Zq7" not in page
    assert not SavedView.objects.exists()


def test_a_bookmark_is_no_part_of_the_record(browse: Browse) -> None:
    _save(browse("owner"))
    assert not AuditEvent.objects.exists()
