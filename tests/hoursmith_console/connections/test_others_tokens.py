"""The id in a connection's address is no secret: whoever calls there does not show the owner what they do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.tokens.models import TokenClaim
from mcpbridge.models import ObservedConnection
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_refusal

Browse = Callable[[str], Client]
PAGES = (
    "/connections/",
    "/connections/my-laptop/",
    "/connections/my-laptop/evidence/",
    "/connections/my-laptop/troubleshoot/",
)


@pytest.fixture
def called(cast: Cast) -> Callable[[str], None]:
    """Somebody's token calls at the member's connection."""
    Connection.objects.create(
        workspace=cast.workspace, owner=cast.people["member"], slug="my-laptop", client="cursor", label="My Cursor"
    )

    def call(who: str) -> None:
        now = timezone.now()
        ObservedConnection.objects.create(
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
    assert "Another member’s token was used" in text or page.endswith("troubleshoot/")


@pytest.mark.parametrize("person", ["owner", "member"])
def test_ones_own_and_those_of_nobody_are_shown(
    cast: Cast, browse: Browse, called: Callable[[str], None], person: str
) -> None:
    called("member")
    TokenClaim.objects.filter(prefix=cast.tokens["member"].prefix, member__role=person.upper()).delete()
    assert "telltale" in browse(person).get("/connections/my-laptop/").content.decode()


def test_rejected_requests_with_tokens_out_of_sight_are_not_listed(
    cast: Cast, browse: Browse, called: Callable[[str], None]
) -> None:
    make_refusal(cast.tokens["owner"], connection="my-laptop", client_name="telltale")
    make_refusal(cast.tokens["outsider"], connection="my-laptop", client_name="telltale")
    make_refusal(cast.tokens["member"], connection="my-laptop", client_name="mine")
    page = browse("member").get("/connections/my-laptop/troubleshoot/").content.decode()
    assert ("telltale" in page, "mine" in page) == (False, True)


def test_who_calls_at_a_teammates_address_does_not_learn_what_it_is_called(
    cast: Cast, browse: Browse, called: Callable[[str], None]
) -> None:
    token = cast.tokens["manager"]
    make_client(token, name="Zed", connection="my-laptop")
    rotation = start_rotation(
        env="live", prefix=token.prefix, workspace=cast.workspace, kind="leaked", actor="Manager Person"
    )
    make_refusal(token, connection="my-laptop", client_name="Zed")
    Rotation.objects.filter(pk=rotation.pk).update(revoked_at=timezone.now() - timedelta(hours=1))
    for address in (f"/rotations/{rotation.pk}/", "/"):
        page = browse("manager").get(address).content.decode()
        assert ("My Cursor" in page, "Zed" in page) == (False, True), address


def test_who_reviews_the_workspace_sees_all(browse: Browse, called: Callable[[str], None]) -> None:
    called("manager")
    assert "telltale" in browse("admin").get("/connections/my-laptop/").content.decode()
