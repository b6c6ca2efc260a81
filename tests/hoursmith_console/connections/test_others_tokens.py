"""The id in a connection's address is no secret: whoever calls there does not show the owner what they do."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.connections.models import Connection
from hoursmith_console.tokens.models import TokenClaim
from mcpbridge.models import SeenConnection
from tests.hoursmith_console.conftest import Cast

Browse = Callable[[str], Client]
PAGES = (
    "/connections/",
    "/connections/my-laptop/",
    "/connections/my-laptop/evidence/",
    "/connections/my-laptop/doctor/",
)


@pytest.fixture
def called(cast: Cast) -> Callable[[str], None]:
    """Somebody's token calls at the member's connection."""
    Connection.objects.create(
        workspace=cast.workspace, owner=cast.people["member"], slug="my-laptop", client="cursor", label="My Cursor"
    )

    def call(who: str) -> None:
        now = timezone.now()
        SeenConnection.objects.create(
            slug="my-laptop",
            org_id=cast.org_id,
            env="live",
            prefix=cast.tokens[who].prefix,
            role=cast.people[who].role,
            client_name="telltale",
            last_method="delete_invoice",
            first_seen_at=now,
            last_seen_at=now,
            called_at=now,
            last_status=200,
            calls=1,
        )

    return call


@pytest.mark.parametrize("page", PAGES)
def test_calls_of_another_members_token_are_not_shown(
    cast: Cast, browse: Browse, called: Callable[[str], None], page: str
) -> None:
    called("owner")
    text = browse("member").get(page).content.decode()
    for told in ("telltale", "delete_invoice", cast.tokens["owner"].prefix):
        assert told not in text
    assert "Another member&#x27;s token came here" in text or page.endswith("doctor/")


@pytest.mark.parametrize("person", ["owner", "member"])
def test_ones_own_and_those_of_nobody_are_shown(
    cast: Cast, browse: Browse, called: Callable[[str], None], person: str
) -> None:
    called("member")
    TokenClaim.objects.filter(prefix=cast.tokens["member"].prefix, member__role=person.upper()).delete()
    assert "telltale" in browse(person).get("/connections/my-laptop/").content.decode()


def test_who_reviews_the_workspace_sees_all(browse: Browse, called: Callable[[str], None]) -> None:
    called("manager")
    assert "telltale" in browse("admin").get("/connections/my-laptop/").content.decode()
