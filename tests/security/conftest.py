"""A workspace in which everything that somebody can name is named to do harm, with one of every kind of record."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.services import RuleSettings, create_channel, create_rule, send_test
from hoursmith_console.audit.watchers.services import create_watch_key
from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.services import start_campaign
from hoursmith_console.connections.services import create_connection
from hoursmith_console.core.saved_views.services import view_save
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.leaked_tokens.services import report_leaked_tokens
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_inventory.bulk.services import BulkOrder, start_bulk_job
from hoursmith_console.token_inventory.models import BulkAction
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.audit.destinations.services import create_destination
from mcpbridge.models import ApprovalRequest, ObservedToken, RejectedCredential, TokenRef
from tests.hoursmith_console import conftest as people
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.connections.conftest import saw
from tests.hoursmith_console.records import make_audit, make_call, make_client, make_grant, make_refusal
from tests.page_urls import KEYS, filled

browse, cast, trusted, with_app = people.browse, people.cast, people.trusted, people.with_app
Browse = Callable[[str], Client]

# Ends an attribute, a text, a title, a script and a comment, names a template's expression and begins a formula.
HARM = "=ZQ7\"'>--></title></script><zqtag zqattr=1>{{7*7}}${7*7}"


@dataclass(frozen=True)
class World:
    """Where each kind of record is: what fits the key of every route below the address."""

    cast: Cast
    keys: dict[str, str]

    def address(self, route: str) -> str:
        """`route` with the key of a record that is there, by the longest address that it begins with."""
        if "<" not in route:
            return filled(route)
        areas = [area for area in self.keys if route.startswith(area)]
        assert areas, f"Let `populate` make a record for {route}, so that it is tried too."
        key = self.keys[max(areas, key=len)]
        return filled(route, dict.fromkeys(KEYS, key))


def content_of(answer: Any) -> bytes:
    """All that an answer holds, also where it is streamed."""
    if not answer.streaming:
        return bytes(answer.content)

    async def gathered() -> bytes:
        return b"".join([part async for part in answer.streaming_content])

    return async_to_sync(gathered)() if answer.is_async else b"".join(answer.streaming_content)


def populate(cast: Cast, workspace: Workspace, person: Member, token: ObservedToken, mark: str) -> World:
    """One record of every kind in `workspace`, each named with `mark`."""
    Workspace.objects.filter(pk=workspace.pk).update(name=mark)
    Member.objects.filter(pk=person.pk).update(name=mark)
    ObservedToken.objects.filter(pk=token.pk).update(token_name=mark, org_name=mark, last_tool=mark[:60])
    workspace.refresh_from_db()
    person.refresh_from_db()
    token.refresh_from_db()
    make_client(token, name=mark, version=mark[:60])
    make_refusal(token, client_name=mark)
    more: dict[str, Any] = {
        "target_label": mark,
        "target_id": mark,
        "arguments": {mark: mark, "id": [mark, {mark: mark}]},
        "client_name": mark,
        "client_version": mark[:60],
        "token_name": mark,
    }
    at = timezone.now() - timedelta(hours=1)
    call = make_call(token, at=at, result="failed", status=500, code=mark[:40], **more)
    audit = make_audit(token, at=at, snapshot={"name": mark, mark: [mark]}, **more)
    open_call = make_audit(token, at=at, result=None, **more)
    actor = f"{mark} <{person.email}>"
    destination, _ = create_destination(
        org_id=workspace.org_id,
        name=mark,
        kind="webhook",
        format="json",
        address="http://127.0.0.2:9/x",
        from_first_row=True,
        actor=actor,
    )
    watch_key, _ = create_watch_key(org_id=workspace.org_id, name=mark, actor=actor)
    connection = create_connection(
        workspace=workspace, owner=person, client="claude-code", label=mark, access="full", actor=actor
    )
    saw(connection, client_name=mark, client_version=mark[:60], prefix=token.prefix)
    rotation = start_rotation(
        env=token.env, prefix=token.prefix, workspace=workspace, kind=RotationKind.PLANNED, actor=actor, reason=mark
    )
    campaign = start_campaign(
        workspace=workspace,
        criteria=Criteria(assistant=mark),
        tokens=[token],
        title=mark,
        due_on=timezone.now().date() + timedelta(days=3),
        actor=actor,
        reason=mark,
    )
    report_leaked_tokens(workspace=workspace, refs=[TokenRef(token.env, token.prefix)], actor=actor, found_in=mark)
    report = LeakReport.objects.get(workspace=workspace)
    views = {
        f"{area}/views/": str(view_save(member=person, area=area, name=mark, query=urlencode({"q": mark})).pk)
        for area in ("activity", "audit", "tokens")
    }
    assert RejectedCredential.objects.filter(prefix=token.prefix).exists()
    order = BulkOrder(BulkAction.BLOCK, form=uuid.uuid4().hex, reason=mark)
    job = start_bulk_job(member=person, order=order, tokens=[token], possible=[token])
    channel = create_channel(
        workspace=workspace, name=mark, kind="webhook", address="http://127.0.0.2:9/secret", actor=actor
    )
    settings = RuleSettings(name=mark, channels=[channel], parameters={"tokens": [f"{token.env}_{token.prefix}"]})
    rule = create_rule(workspace=workspace, kind=AlertKind.DELETION, settings=settings, actor=actor)
    send_test(rule=rule, channel=channel, actor=actor)
    grant = make_grant(token, client_name=mark, client_host=mark, token_name=mark, authorized_by=actor)
    return World(
        cast,
        {
            "activity/": str(call.pk),
            "alerts/channels/": str(channel.pk),
            "alerts/rules/": str(rule.pk),
            "approvals/": str(_waiting_call(token, mark).call_id),
            "audit/": str(audit.call_id),
            "audit/<uuid:key>/resolve/": str(open_call.call_id),
            "audit/destinations/": str(destination.pk),
            "audit/sinks/": str(destination.pk),
            "audit/watchers/": str(watch_key.pk),
            "connections/": connection.slug,
            "connections/authorizations/": grant.pk,
            "help/": "tokens",
            "members/": str(person.pk),
            "tokens/bulk/": str(job.pk),
            "rotations/": str(rotation.pk),
            "rotations/campaigns/": str(campaign.pk),
            "rotations/leaked-tokens/": str(report.pk),
            "rotations/offboarding/": str(person.pk),
            "tokens/": str(token.pk),
            **views,
        },
    )


def _waiting_call(token: ObservedToken, mark: str) -> ApprovalRequest:
    now = timezone.now()
    return ApprovalRequest.objects.create(
        env=token.env,
        prefix=token.prefix,
        org_id=token.org_id,
        call_id=uuid.uuid4(),
        tool="delete_client",
        digest=uuid.uuid4().hex,
        arguments={mark: mark},
        snapshot={"name": mark, mark: [mark]},
        target_type="client",
        target_id=mark[:64],
        target_label=mark,
        token_name=mark,
        role=token.role,
        client_name=mark,
        cause="tool",
        answered_in="console",
        asked_at=now,
        expires_at=now + timedelta(minutes=15),
    )


@pytest.fixture(autouse=True)
def nothing_listens(settings: Any) -> None:
    """A destination of the tests may be there; what is sent to it arrives nowhere."""
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.2"]
    settings.LOG_DESTINATION_TIMEOUT_S = 0.5


@pytest.fixture
def hostile(cast: Cast) -> World:
    """The cast's own workspace, in which every name does harm."""
    return populate(cast, cast.workspace, cast.people["owner"], cast.tokens["owner"], HARM)


@pytest.fixture
def foreign(cast: Cast) -> World:
    """The other workspace, in which every name is told apart."""
    return populate(cast, cast.other, cast.people["outsider"], cast.tokens["outsider"], "ZQforeign")
