"""Every page of an object carries the verbs that its reader may use, and no others: object × role → verbs.

Each link is opened; each form is sent by the tests of its app.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.services import start_campaign
from hoursmith_console.connections.services import create_connection
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.access import add_auditor
from mcpbridge.models import LogDestination, ObservedConnection
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_grant, make_token

pytestmark = pytest.mark.django_db(databases="__all__")
NOW = timezone.now()

# What leads on from everywhere, and is no verb of the object.
_FRAME = {
    "",
    "Add to Cursor",
    "Add to Cursor without a token",
    "Refresh",
    "Show",
    "Copy the address",
    "Copy the token prefix",
}
UPDATE = {
    "Save and exit", "Block token", "Treat as leaked", "Cancel rotation", "Mark as updated", "No longer used",
    "I’ve updated all assistants", "Remove new token",
}  # fmt: skip
TOKEN_VERBS = {"Rotate token", "Block token", "Revoke token"}
READ = {"Troubleshoot connection"}

Verbs = Mapping[str, set[str]]
# Object → role → verbs. All of them are the manager's; `member` is an auditor of the workspace.
TABLE: Mapping[str, Verbs] = {
    "rotation": {
        "manager": UPDATE | {"Create another token"},
        "owner": UPDATE | {"Send reminder", "Download evidence"},
        "admin": UPDATE | {"Send reminder", "Download evidence"},
        "member": {"Save and exit", "Download evidence"},
    },
    "cancelled rotation": {
        "manager": {"Resume rotation", "Start a new rotation"},
        "owner": {"Resume rotation", "Start a new rotation", "Download evidence"},
        "member": {"Download evidence"},
    },
    "authorized assistant": {
        "manager": {"End access", "Rotate token", "Block token"},
        "owner": {"End access", "Rotate token", "Block token"},
        "admin": {"End access", "Rotate token", "Block token"},
        "member": set(),
    },
    "connection": {
        "manager": READ | TOKEN_VERBS | {"Try a prompt", "Edit connection", "Remove connection"},
        "owner": READ | TOKEN_VERBS | {"Remove connection"},
        "admin": READ | TOKEN_VERBS | {"Remove connection"},
        "member": READ,
    },
    "removed connection": {"manager": set(), "owner": set(), "member": set()},
    "campaign": {
        "owner": {"Send reminders", "Save due date", "Close campaign"},
        "admin": {"Send reminders", "Save due date", "Close campaign"},
        "member": set(),
    },
    "member": {
        "owner": {
            "Request rotation of all tokens", "Offboard member", "Sign out everywhere", "Add auditor role",
            "Remove access",
        },
        "manager": {"Two-factor authentication", "Active sessions", "Change password"},
        "member": set(),
    },
    "destination": {
        "owner": {
            "Send test message", "Pause destination", "Save destination", "Rotate secret", "Resend entries",
            "Delete destination",
        },
        "member": set(),
    },
}  # fmt: skip


@pytest.fixture
def objects(cast: Cast) -> Mapping[str, str]:
    """The address of one object of each kind."""
    token, manager, actor = cast.tokens["manager"], cast.people["manager"], "Ana Person"
    make_client(token, name="Cursor")
    campaign = start_campaign(
        workspace=cast.workspace,
        title="Old ones",
        criteria=Criteria(),
        due_on=(NOW + timedelta(days=9)).date(),
        tokens=[token],
        actor=actor,
    )
    rotation = Rotation.objects.get(campaign=campaign)
    Rotation.objects.update(minted_at=NOW, new_env="live", new_prefix="f" * 12, new_token_evidence="minted")
    second = make_token(cast.org_id, "e" * 12)
    claim_token(env="live", prefix=second.prefix, member=manager, source="minted")
    ended = start_rotation(env="live", prefix=second.prefix, workspace=cast.workspace, kind="planned", actor=actor)
    Rotation.objects.filter(pk=ended.pk).update(ended_at=NOW, outcome="cancelled")
    made: dict[str, Any] = {
        name: create_connection(
            workspace=cast.workspace, owner=manager, client="cursor", label=name, access="full", actor=actor
        )
        for name in ("connection", "removed connection")
    }
    used = {"env": "live", "prefix": token.prefix, "first_seen_at": NOW, "last_seen_at": NOW, "called_at": NOW}
    ObservedConnection.objects.update(**used)
    made["removed connection"].removed_at = NOW
    made["removed connection"].save()
    destination = LogDestination.objects.create(
        org_id=cast.org_id, name="SIEM", kind="webhook", format="json", address="https://siem.example.com/in",
        encrypted_secret="x", created_by=actor,
    )  # fmt: skip
    # Made after the rotation, of whose assistants it is none here.
    grant = make_grant(second)
    return {
        "authorized assistant": f"/connections/authorizations/{grant.pk}/",
        "rotation": f"/rotations/{rotation.pk}/",
        "cancelled rotation": f"/rotations/{ended.pk}/",
        "connection": f"/connections/{made['connection'].slug}/",
        "removed connection": f"/connections/{made['removed connection'].slug}/",
        "campaign": f"/rotations/campaigns/{campaign.pk}/",
        "member": f"/members/{manager.pk}/",
        "destination": f"/audit/destinations/{destination.pk}/",
    }


@pytest.mark.parametrize(("kind", "person"), [(kind, person) for kind, verbs in TABLE.items() for person in verbs])
def test_a_page_offers_exactly_what_its_reader_may_do(
    cast: Cast, trusted: Callable[[str], Client], objects: Mapping[str, str], kind: str, person: str
) -> None:
    add_auditor(member=cast.people["member"], actor="Ana Person")
    client = trusted(person)
    trusted("manager").get("/")
    page = _Page()
    page.feed(client.get(objects[kind]).content.decode())
    assert set(page.verbs) - _FRAME == TABLE[kind][person]
    for address in [page.verbs[verb] for verb in set(page.verbs) - _FRAME if page.verbs[verb]]:
        assert client.get(address).status_code in (200, 302), address


class _Page(HTMLParser):
    """Reads the buttons of a page's main part: their names without hidden words, and the addresses of links."""

    def __init__(self) -> None:
        super().__init__()
        self.verbs: dict[str, str] = {}
        self._main = self._hidden = False
        self._address: str | None = None
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._main = self._main or tag == "main"
        if "visually-hidden" in given.get("class", ""):
            self._hidden = True
        elif self._main and (tag == "button" or (tag == "a" and "button" in given.get("class", "").split())):
            self._address, self._words = given.get("href", ""), ""

    def handle_data(self, data: str) -> None:
        if self._address is not None and not self._hidden:
            self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._hidden = False
        elif tag in ("a", "button") and self._address is not None:
            self.verbs[re.sub(r"\s+", " ", self._words).strip()] = self._address
            self._address = None
        elif tag == "main":
            self._main = False
