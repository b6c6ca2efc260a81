"""Every page for everybody of the cast: whose it is, who is sent to sign in, for whom it does not exist."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call

LISTS = ("/", "/tokens/", "/audit/", "/activity/", "/connections/")
Browse = Callable[[str], Client]


@pytest.fixture
def details(cast: Cast) -> dict[str, str]:
    """The address of one detail page of each area; all belong to the manager."""
    token = cast.tokens["manager"]
    call = make_call(token)
    intent = make_audit(token)
    return {
        "token": f"/tokens/{token.pk}/",
        "activity": f"/activity/{call.pk}/",
        "audit": f"/audit/{intent.call_id}/",
    }


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("person", ["owner", "admin", "manager", "member", "outsider"])
def test_every_member_of_a_workspace_has_the_lists(browse: Browse, person: str, address: str) -> None:
    assert browse(person).get(address).status_code == 200


@pytest.mark.parametrize("page", ["token", "activity", "audit"])
@pytest.mark.parametrize(
    ("person", "status"), [("owner", 200), ("admin", 200), ("manager", 200), ("member", 404), ("outsider", 404)]
)
def test_a_page_exists_only_for_who_may_see_it(
    browse: Browse, details: dict[str, str], person: str, status: int, page: str
) -> None:
    assert browse(person).get(details[page]).status_code == status


@pytest.mark.parametrize("page", ["token", "activity", "audit"])
def test_a_hidden_page_cannot_be_told_from_one_that_never_was(
    browse: Browse, details: dict[str, str], page: str
) -> None:
    never_was = {
        "token": "/tokens/999999/",
        "activity": "/activity/999999/",
        "audit": "/audit/0b6fd4f6-0000-4000-8000-000000000000/",
    }
    visitor = browse("outsider")
    assert _without_token(visitor.get(details[page])) == _without_token(visitor.get(never_was[page]))


def _without_token(response: object) -> str:
    lines = response.content.decode().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line for line in lines if "csrfmiddlewaretoken" not in line)
