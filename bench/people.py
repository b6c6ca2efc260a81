"""The people, tokens and assistants of a made-up workspace."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta

from django.db import connection

from bench.fixtures import ORG, OTHER_ORG, Token, World
from bench.loading import Loader
from hoursmith_console.connections.models import Connection
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
from mcpbridge.activity.usage import network_of
from mcpbridge.models import (
    ActivityLoss,
    CallHour,
    ObservedClient,
    ObservedToken,
    RejectedCredential,
    TokenBlock,
    TokenNetwork,
    TokenTool,
)

MEMBERS = 200
PASSWORD = " ".join(["correct", "horse", "battery", "staple"])
_TOKENS_A_MEMBER = 5


def sightings_make(world: World, copies: int, days: int) -> None:
    """The tokens that were used, and the assistants that used them, with what their calls add up to."""
    earlier = timedelta(days=days * (copies - 1))
    used = [token for token in world.tokens if token.first and token.last]
    rows = ObservedToken.objects.bulk_create(
        ObservedToken(
            org_id=token.org_id,
            org_name="Years & Sons",
            env="live",
            prefix=token.prefix,
            token_name=token.name,
            role=token.role,
            plan="agency",
            scopes=["read", "write"],
            first_used_at=token.first - earlier,
            last_used_at=token.last,
            last_tool=token.last_tool,
            last_status=200,
            calls_read=token.counts["read"] * copies,
            calls_write=token.counts["write"] * copies,
            calls_destructive=token.counts["destructive"] * copies,
            calls_attempted=token.counts["attempted"] * copies,
            calls_refused=token.counts["refused"] * copies,
        )
        for token in used
    )
    ObservedClient.objects.bulk_create(
        ObservedClient(
            token=row,
            name=name,
            version=version,
            connection=slug,
            protocol="2026-07-28",
            address=token.address,
            first_seen_at=token.first - earlier,
            last_seen_at=token.last,
            calls=calls * copies,
        )
        for row, token in zip(rows, used, strict=True)
        for (name, version, slug), calls in token.by_client.items()
    )
    TokenTool.objects.bulk_create(
        TokenTool(token=row, tool=tool, calls=calls, refused=refused, first_at=first - earlier, last_at=last)
        for row, token in zip(rows, used, strict=True)
        for tool, (calls, refused, first, last) in token.by_tool.items()
    )
    TokenNetwork.objects.bulk_create(
        TokenNetwork(token=row, network=network_of(address), calls=calls, first_at=first - earlier, last_at=last)
        for row, token in zip(rows, used, strict=True)
        for address, (calls, _, first, last) in token.by_network.items()
    )
    _hours_make(used)
    for token in used[::40]:
        RejectedCredential.objects.create(
            env="live",
            prefix=token.prefix,
            fault="rejected",
            client_name="Cursor",
            address=token.address,
            matches_token=True,
            first_at=token.last,
            last_at=token.last,
            attempts=17,
        )
        TokenBlock.objects.create(
            env="live",
            prefix=token.prefix,
            org_id=token.org_id,
            reason="Lost laptop",
            blocked_at=token.last,
            blocked_by="Ana",
        )
    last = max(token.last for token in used if token.last)
    ActivityLoss.objects.create(org_id=ORG, since=last - timedelta(hours=2), until=last, calls=12)


def _hours_make(used: Iterable[Token]) -> None:
    sums: defaultdict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for token in used:
        for (hour, series), calls in token.by_hour.items():
            for prefix in (token.prefix, ""):
                sums[token.org_id, prefix, hour][f"calls_{series}"] += calls
    none = {field.name: 0 for field in CallHour._meta.fields if field.name.startswith("calls_")}
    Loader(connection, CallHour).load(
        [
            {"org_id": org_id, "prefix": prefix, "env": "live" if prefix else "", "hour": hour} | none | counts
            for (org_id, prefix, hour), counts in sums.items()
        ]
    )


def people_make(world: World) -> None:
    """An owner with an account, two hundred members, and whose most tokens are."""
    workspace = import_workspace(org_id=ORG, name="Years & Sons", plan="agency")
    import_workspace(org_id=OTHER_ORG, name="Others", plan="agency")
    owner = import_member(
        workspace=workspace, member_id="m0", user_ref="u0", name="Olga Owner", email="owner@example.com", role="OWNER"
    )
    create_account(member=owner, password=PASSWORD)
    members = Member.objects.bulk_create(
        Member(
            workspace=workspace,
            member_id=f"m{number}",
            user_ref=f"u{number}",
            name=f"Member {number:03}",
            email=f"member{number}@example.com",
            role="MEMBER" if number % 4 else "MANAGER",
        )
        for number in range(1, MEMBERS + 1)
    )
    for member in members[:2]:
        create_account(member=member, password=PASSWORD)
    Connection.objects.bulk_create(
        Connection(workspace=workspace, owner=members[token.number % MEMBERS], slug=slug, client="cursor", label=name)
        for token in world.tokens[:400]
        if token.org_id == ORG
        for name, _, slug in token.clients[:1]
        if slug
    )
    ours = [token for token in world.tokens if token.org_id == ORG and token.first]
    TokenClaim.objects.bulk_create(
        TokenClaim(env="live", prefix=token.prefix, member=members[place % MEMBERS], source="minted")
        for place, token in enumerate(ours[: MEMBERS * _TOKENS_A_MEMBER])
    )
