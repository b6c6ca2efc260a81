"""Report leaked tokens by their prefixes, look them up, and block them.

No secret reaches this module: the page sends prefixes only. Tokens of other workspaces look like unknown tokens.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

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
from mcpbridge.models import ObservedClient, ObservedToken, RejectedCredential, TokenBlock, TokenRef

# Per report; an audit entry stores as many items of a list.
AT_MOST = 50
FOUND_IN_LENGTH = 200
_PREFIX = re.compile(r"(?:hsk_)?(live|test)_([0-9A-Za-z]{12})(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class ReportedToken:
    """One reported token. `token` is None if it is unknown or the viewer may not see it."""

    ref: TokenRef
    token: ObservedToken | None = None
    owner: Member | None = None
    client: ObservedClient | None = None
    block: TokenBlock | None = None
    rotation: Rotation | None = None
    refused_at: datetime | None = None
    is_revoked: bool = False

    @property
    def is_stopped(self) -> bool:
        """Whether it is blocked or revoked."""
        return self.block is not None or self.is_revoked

    @property
    def is_rotating(self) -> bool:
        """Whether its rotation as leaked is in progress."""
        rotation = self.rotation
        return rotation is not None and rotation.ended_at is None and rotation.kind == RotationKind.LEAKED


def parse_token_prefixes(texts: Iterable[str]) -> list[TokenRef]:
    """Return the token prefixes in `texts`, each once, in order; a secret after a prefix is dropped."""
    found = dict.fromkeys(TokenRef(*match) for text in texts for match in _PREFIX.findall(text))
    return list(found)[:AT_MOST]


def report_leaked_tokens(*, workspace: Workspace, refs: Sequence[TokenRef], actor: str, found_in: str = "") -> int:
    """Create reports of these tokens, and return how many of them the workspace knows.

    Raises AuditUnavailableError if that cannot be logged; then no report was created.
    """
    found_in = sanitize_text(found_in.strip(), FOUND_IN_LENGTH)
    with transaction.atomic():
        known = ObservedToken.objects.filter(_any_of(refs), org_id=workspace.org_id).order_by("env", "prefix")
        for env, prefix in known.values_list("env", "prefix"):
            LeakReport.objects.get_or_create(
                workspace=workspace,
                env=env,
                prefix=prefix,
                closed_at=None,
                defaults={"reported_by": actor, "found_in": found_in},
            )
        record_event(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.leak_report",
            actor=actor,
            target_type="tokens",
            target_label=f"{len(refs)} token{'' if len(refs) == 1 else 's'}",
            details={"prefixes": [ref.address for ref in refs], "known": len(known)},
            note=found_in,
        )
    return len(known)


def block_tokens(*, tokens: Iterable[ObservedToken], member: Member) -> int:
    """Block each of `tokens`, which `member` may block, and return how many were not blocked before.

    Raises AuditUnavailableError if a block cannot be logged; earlier ones stay.
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
    """Close the report. Raises AuditUnavailableError if that cannot be logged; then it stays open."""
    with transaction.atomic():
        open_report = LeakReport.objects.filter(pk=report.pk, closed_at=None)
        if open_report.update(closed_at=timezone.now(), closed_by=actor):
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
    """Return visible open reports of tokens that are neither blocked nor being rotated as leaked."""
    tokens = visible_tokens(viewer).order_by().filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    blocked = TokenBlock.objects.filter(lifted_at=None, org_id=viewer.org_id, **same)
    ours = Rotation.objects.filter(workspace_id=viewer.member.workspace_id, **same)
    # A cancelled rotation, or a revocation that evidence contradicts, does not close a report.
    rotating, revoked = ours.filter(kind=RotationKind.LEAKED, ended_at=None), ours.revoked()
    return (
        LeakReport.objects.filter(Exists(tokens), workspace_id=viewer.member.workspace_id, closed_at=None)
        .exclude(Exists(blocked))
        .exclude(Exists(rotating))
        .exclude(Exists(revoked))
    )


def reported_tokens(viewer: Viewer, refs: Sequence[TokenRef]) -> list[ReportedToken]:
    """Look up each of `refs` as the viewer may see it, known tokens first, in a constant number of queries."""
    tokens = {_ref(token): token for token in visible_tokens(viewer).filter(_any_of(refs))}
    owners = token_owners(viewer, [ref.prefix for ref in tokens])
    blocked = TokenBlock.objects.filter(_any_of(tokens), org_id=viewer.org_id, lifted_at=None)
    blocks = {_ref(row): row for row in blocked}
    rotations: dict[TokenRef, Rotation] = {}
    revoked = set()
    ours = Rotation.objects.with_contradiction().filter(_any_of(tokens), workspace_id=viewer.member.workspace_id)
    for row in ours.select_related("workspace"):
        # Newest first; an open rotation is always the newest.
        rotations.setdefault(_ref(row), row)
        if row.revoked_at is not None and not row.is_contradicted:
            revoked.add(_ref(row))
    clients: dict[int, ObservedClient] = {}
    for client in ObservedClient.objects.filter(token__in=tokens.values()).order_by("-last_seen_at"):
        clients.setdefault(client.token_id, client)
    refusals: dict[TokenRef, datetime] = {}
    rejected = RejectedCredential.objects.filter(_any_of(tokens), fault="rejected", matches_token=True)
    for refusal in rejected.order_by("last_at"):
        refusals[TokenRef(refusal.env, refusal.prefix)] = refusal.last_at
    found = []
    for ref in refs:
        token = tokens.get(ref)
        refused_at = refusals.get(ref)
        found.append(
            ReportedToken(
                ref=ref,
                token=token,
                owner=owners.get(ref),
                client=clients.get(token.pk) if token else None,
                block=blocks.get(ref),
                rotation=rotations.get(ref),
                is_revoked=ref in revoked,
                refused_at=refused_at if token and refused_at and refused_at > token.last_used_at else None,
            )
        )
    return sorted(found, key=lambda each: each.token is None)


def _ref(row: ObservedToken | TokenBlock | Rotation) -> TokenRef:
    return TokenRef(row.env, row.prefix)


def _any_of(refs: Iterable[TokenRef]) -> Q:
    prefixes = defaultdict(list)
    for ref in refs:
        prefixes[ref.env].append(ref.prefix)
    wanted = Q(prefix__in=[])
    for env, known in prefixes.items():
        wanted |= Q(env=env, prefix__in=known)
    return wanted
