"""Every page for everybody of the cast: whose it is, who is sent to sign in, for whom it does not exist."""

from collections.abc import Callable

import pytest
from django.test import Client

from hoursmith_console.connections.services import create_connection
from hoursmith_console.workspaces.models import Member
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


def test_a_refusal_says_which_of_two_causes_it_has(cast: Cast, trusted: Browse) -> None:
    """The role that may not, and the object that is another member's, are answered with 403 by different pages."""
    token = cast.tokens["admin"]
    connection = create_connection(
        workspace=cast.workspace, owner=cast.people["admin"], client="cursor", label="x", access="full", actor="x"
    )
    role, theirs = "Not allowed for your role", "Not yours to change"
    auditor = cast.people["manager"]
    asked = [
        ("member", "/settings/", role, "for Owners, Admins and Auditors only"),
        ("member", "/members/invite/", role, "for Owners and Admins only"),
        ("owner", f"/connections/{connection.slug}/setup/", theirs, "belongs to another member"),
    ]
    for person, address, title, text in asked:
        answer = trusted(person).get(address)
        assert answer.status_code == 403, address
        assert f"<h1>{title}</h1>" in answer.content.decode()
        assert text in answer.content.decode()
    Member.objects.filter(pk=auditor.pk).update(is_auditor=True)
    answer = trusted("manager").post(f"/tokens/block/?token=live_{token.prefix}", {"reason": "x"})
    assert "Auditors can see everything in this workspace and change nothing." in answer.content.decode()
