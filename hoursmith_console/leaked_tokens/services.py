"""Takes reports of leaked tokens by their public part, says what is known of each, and contains them.

No secret reaches this module: the page sends prefixes alone. Of another workspace's tokens nobody is told more than
of tokens that never were.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.permissions import liftable_by
from hoursmith_console.tokens.labels import token_owners
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.models import ObservedClient, ObservedToken, RejectedCredential, TokenBlock

# Of one report: as many as the record keeps of one list.
AT_MOST = 50
PLACE_LENGTH = 200
_PUBLIC = re.compile(r"(?:hsk_)?(live|test)_([0-9A-Za-z]{12})(?![0-9A-Za-z])")


class PublicPart(NamedTuple):
    """What identifies a token and does not open it."""

    env: str
    prefix: str

    @property
    def key(self) -> str:
        """As forms and addresses carry it: `live_4f8a2c1bdedf`."""
        return f"{self.env}_{self.prefix}"

    @property
    def masked(self) -> str:
        """As people may see it."""
        return f"hsk_{self.env}_{self.prefix}_••••"


@dataclass(frozen=True, slots=True)
class ReportedToken:
    """One reported token as the viewer may know it. Without `token` it is not known, or not theirs to know."""

    part: PublicPart
    token: ObservedToken | None = None
    owner: Member | None = None
    client: ObservedClient | None = None
    block: TokenBlock | None = None
    rotation: Rotation | None = None
    refused_at: datetime | None = None
    is_revoked: bool = False

    @property
    def is_contained(self) -> bool:
        """Whether nobody gets through with it any more."""
        return self.block is not None or self.is_revoked

    @property
    def is_rotating(self) -> bool:
        """Whether its leaked rotation is under way."""
        rotation = self.rotation
        return rotation is not None and rotation.ended_at is None and rotation.kind == RotationKind.LEAKED


def parse_token_prefixes(texts: Iterable[str]) -> list[PublicPart]:
    """The public parts that stand in `texts`, each once, in their order; whatever follows one is dropped."""
    found = dict.fromkeys(PublicPart(*match) for text in texts for match in _PUBLIC.findall(text))
    return list(found)[:AT_MOST]


def report_leaked_tokens(*, workspace: Workspace, parts: Sequence[PublicPart], actor: str, place: str = "") -> int:
    """Note that these tokens were found at `place`, and record it; how many of them the workspace knows.

    Raises AuditUnavailableError where that cannot be recorded; then nothing is noted.
    """
    place = sanitize_text(place.strip(), PLACE_LENGTH)
    with transaction.atomic():
        known = ObservedToken.objects.filter(_any_of(parts), org_id=workspace.org_id).order_by("env", "prefix")
        for env, prefix in known.values_list("env", "prefix"):
            LeakReport.objects.get_or_create(
                workspace=workspace,
                env=env,
                prefix=prefix,
                closed_at=None,
                defaults={"reported_by": actor, "place": place},
            )
        record_event(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.leak_report",
            actor=actor,
            target_type="tokens",
            target_label=f"{len(parts)} token{'' if len(parts) == 1 else 's'}",
            details={"prefixes": [part.key for part in parts], "known": len(known)},
            note=place,
        )
    return len(known)


def block_tokens(*, tokens: Iterable[ObservedToken], member: Member) -> int:
    """Refuse each of `tokens`, which `member` may act on, at the bridge from the next request on.

    Return how many were not blocked before. Raises AuditUnavailableError where a block cannot be recorded; then those
    before it stay blocked.
    """
    count = 0
    for token in tokens:
        started = timezone.now()
        block = block_token(
            env=token.env,
            prefix=token.prefix,
            org_id=token.org_id,
            actor=member.display_identity,
            reason="Reported as leaked",
            liftable_by=liftable_by(member),
        )
        count += block.blocked_at >= started
    return count


def close_report(*, report: LeakReport, actor: str, note: str = "") -> None:
    """Say that the report is dealt with, or was none. Raises AuditUnavailableError; then it stays open."""
    with transaction.atomic():
        standing = LeakReport.objects.filter(pk=report.pk, closed_at=None)
        if standing.update(closed_at=timezone.now(), closed_by=actor):
            record_event(
                org_id=report.workspace.org_id,
                org_name=report.workspace.name,
                action="console.leak_settle",
                actor=actor,
                target_type="token",
                target_id=report.prefix,
                target_label=report.masked_token,
                token=TokenNamed(report.env, report.prefix),
                note=note,
            )


def open_reports(viewer: Viewer) -> QuerySet[LeakReport]:
    """Reports in the viewer's sight about tokens that are neither blocked nor being rotated as leaked."""
    tokens = visible_tokens(viewer).order_by().filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    blocked = TokenBlock.objects.filter(lifted_at=None, org_id=viewer.org_id, **same)
    ours = Rotation.objects.filter(workspace_id=viewer.member.workspace_id, **same)
    # One that was stopped, or whose token still works though it was said to be revoked, settles nothing.
    rotated, retired = ours.filter(kind=RotationKind.LEAKED, ended_at=None), ours.retiring()
    return (
        LeakReport.objects.filter(Exists(tokens), workspace_id=viewer.member.workspace_id, closed_at=None)
        .exclude(Exists(blocked))
        .exclude(Exists(rotated))
        .exclude(Exists(retired))
    )


def reported_tokens(viewer: Viewer, parts: Sequence[PublicPart]) -> list[ReportedToken]:
    """What the viewer may know of each of `parts`, the known ones first; the same few queries however many."""
    tokens = {_part(token): token for token in visible_tokens(viewer).filter(_any_of(parts))}
    owners = token_owners(viewer, [part.prefix for part in tokens])
    blocked = TokenBlock.objects.filter(_any_of(tokens), org_id=viewer.org_id, lifted_at=None)
    blocks = {_part(row): row for row in blocked}
    rotations: dict[PublicPart, Rotation] = {}
    retired = set()
    ours = Rotation.objects.with_evidence().filter(_any_of(tokens), workspace_id=viewer.member.workspace_id)
    for row in ours.select_related("workspace"):
        # The newest stands first, and one under way is always the newest.
        rotations.setdefault(_part(row), row)
        if row.revoked_at is not None and not row.is_contradicted:
            retired.add(_part(row))
    clients: dict[int, ObservedClient] = {}
    for client in ObservedClient.objects.filter(token__in=tokens.values()).order_by("-last_seen_at"):
        clients.setdefault(client.token_id, client)
    refusals: dict[PublicPart, datetime] = {}
    rejected = RejectedCredential.objects.filter(_any_of(tokens), fault="rejected", matches_token=True)
    for refusal in rejected.order_by("last_at"):
        refusals[PublicPart(refusal.env, refusal.prefix)] = refusal.last_at
    found = []
    for part in parts:
        token = tokens.get(part)
        refused_at = refusals.get(part)
        found.append(
            ReportedToken(
                part=part,
                token=token,
                owner=owners.get(part),
                client=clients.get(token.pk) if token else None,
                block=blocks.get(part),
                rotation=rotations.get(part),
                is_revoked=part in retired,
                refused_at=refused_at if token and refused_at and refused_at > token.last_used_at else None,
            )
        )
    return sorted(found, key=lambda each: each.token is None)


def _part(row: ObservedToken | TokenBlock | Rotation) -> PublicPart:
    return PublicPart(row.env, row.prefix)


def _any_of(parts: Iterable[PublicPart]) -> Q:
    prefixes = defaultdict(list)
    for part in parts:
        prefixes[part.env].append(part.prefix)
    wanted = Q(prefix__in=[])
    for env, known in prefixes.items():
        wanted |= Q(env=env, prefix__in=known)
    return wanted
