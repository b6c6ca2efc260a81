"""The owner of a blocked token is told so at every page that names the token."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail as outgoing
from django.test import Client
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.campaigns.services import start_campaign
from hoursmith_console.connections.services import create_connection
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.notices.mails import send_due_mails
from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from mcpbridge.models import TokenBlock
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.connections.conftest import saw

Browse = Callable[[str], Client]
WHO = "Blocked by Owner Person: seen in a chat"
NOW_DOWN = "Your assistant is down now"
# The timeline of a token tells of past blocks, so a name alone says nothing.
MARKS = re.compile(r"⊘ ?[Bb]locked|assistants? (?:is|are) down")


@pytest.fixture
def campaign(cast: Cast) -> Campaign:
    """A blocked token of the member's, on a connection, in a campaign."""
    token, member = cast.tokens["member"], cast.people["member"]
    actor = cast.people["owner"].display_identity
    made = start_campaign(
        workspace=cast.workspace,
        title="Rotate",
        criteria=Criteria(),
        due_on=timezone.now().date() + timedelta(days=9),
        tokens=[token],
        actor=actor,
    )
    connection = create_connection(
        workspace=cast.workspace, owner=member, client="cursor", label="x", access="full", actor=actor
    )
    saw(connection, prefix=token.prefix)
    block_token(env="live", prefix=token.prefix, org_id=cast.org_id, actor=actor, reason="seen in a chat")
    return made


def plain(client: Client, address: str) -> str:
    """The page's text, its tags left out; titles are read by screen readers in a span of their own."""
    page = client.get(address).content.decode().replace("&#x27;", "'")
    return " ".join(re.sub(r"<[^>]*>", "", page).split())


def pages(cast: Cast, campaign: Campaign, person: str) -> list[str]:
    """The pages that name the member's token to `person`."""
    token, rotation = cast.tokens["member"], Rotation.objects.get()
    connection = cast.people["member"].connections.get()
    known = f"token=live_{token.prefix}"
    found = [
        f"/tokens/{token.pk}/",
        "/tokens/",
        f"/rotations/{rotation.pk}/",
        "/rotations/",
        f"/connections/{connection.slug}/",
        "/connections/",
        "/rotations/new/",
    ]
    if person == "member":
        return [*found, "/"]
    return [
        *found,
        f"/rotations/campaigns/{campaign.pk}/",
        f"/rotations/campaigns/request/?{known}",
        f"/rotations/campaigns/new/?{known}",
        f"/tokens/bulk/revocation/?token={token.pk}",
        f"/tokens/revoke/?{known}",
        f"/members/{cast.people['member'].pk}/",
    ]


@pytest.mark.parametrize("person", ["member", "admin"])
def test_every_page_that_names_the_token_says_that_it_is_blocked(
    cast: Cast, trusted: Browse, campaign: Campaign, person: str
) -> None:
    browser = trusted(person)
    for address in pages(cast, campaign, person):
        said = plain(browser, address)
        assert MARKS.search(said), address
    # And not a moment longer.
    unblock_token(block=TokenBlock.objects.get(), actor="Ana")
    for address in pages(cast, campaign, person):
        assert not MARKS.search(plain(browser, address)), address


@pytest.mark.parametrize("address", ["/", "/tokens/", "token", "rotation", "connection"])
def test_the_owner_reads_that_their_assistant_is_down(
    cast: Cast, browse: Browse, campaign: Campaign, address: str
) -> None:
    known = {
        "token": f"/tokens/{cast.tokens['member'].pk}/",
        "rotation": f"/rotations/{Rotation.objects.get().pk}/",
        "connection": f"/connections/{cast.people['member'].connections.get().slug}/",
    }
    page = plain(browse("member"), known.get(address, address))
    assert "seen in a chat" in page
    assert NOW_DOWN in page


def test_no_request_promises_that_a_blocked_token_works(cast: Cast, browse: Browse, campaign: Campaign) -> None:
    known = f"token=live_{cast.tokens['member'].prefix}"
    for address in (f"/rotations/campaigns/new/?{known}", f"/rotations/campaigns/request/?{known}"):
        assert "Nothing breaks" not in plain(browse("admin"), address)


def test_the_email_says_it(cast: Cast, campaign: Campaign) -> None:
    assert send_due_mails(now=timezone.now()) == 1
    assert f"{WHO}. {NOW_DOWN}." in str(outgoing.outbox[0].body)
