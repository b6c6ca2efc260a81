"""Collect what was observed of rotations: uses of the new token, and uses and rejected attempts of the old one.

Read-only, with a constant number of queries for any number of rotations.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import prefetch_related_objects

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationTarget
from hoursmith_console.rotations.progress.grants import reconnections, with_grants
from hoursmith_console.rotations.progress.targets import can_name_connection
from hoursmith_console.rotations.progress.uses import TokenUse
from mcpbridge.models import Grant, ObservedClient, ObservedConnection, ObservedToken, RejectedCredential, TokenRef


@dataclass(frozen=True, slots=True)
class Observation:
    """An accepted request. `doing` says what was called: a tool or an MCP method."""

    at: datetime
    first_at: datetime
    client: str
    version: str = ""
    doing: str = ""


@dataclass(frozen=True, slots=True)
class LateUse:
    """Rejected attempts with the old token by one client. `target` is None if it matches no known assistant."""

    target: RotationTarget | None
    client_name: str
    connection: str
    label: str
    fault: str
    address: str
    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class TargetEvidence:
    """One assistant: its use of the new token, its use of the old one, and rejected attempts with the old one.

    `is_lagging`: it used the old token after the new one, or after it was marked as updated.
    """

    target: RotationTarget
    new: Observation | None = None
    old_at: datetime | None = None
    late_use: LateUse | None = None
    seen_at: datetime | None = None
    is_lagging: bool = False

    @classmethod
    def of(
        cls, target: RotationTarget, *, new: Observation | None, old_at: datetime | None, late_use: LateUse | None
    ) -> "TargetEvidence":
        """Build the evidence of `target`."""
        seen_at = target.seen_at or (new.first_at if new else None)
        switched = [instant for instant in (target.confirmed_at, seen_at) if instant is not None]
        is_lagging = bool(switched) and old_at is not None and old_at > max(switched) and not target.unused_at
        return cls(target, new=new, old_at=old_at, late_use=late_use, seen_at=seen_at, is_lagging=is_lagging)

    @property
    def is_done(self) -> bool:
        """Whether the assistant has switched or is no longer used."""
        return self.target.unused_at is not None or (self.seen_at is not None and not self.is_lagging)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything observed of one rotation. Pages show `visible_evidence` of it."""

    targets: Sequence[TargetEvidence] = ()
    new_token: ObservedToken | None = None
    old_token: ObservedToken | None = None
    old_at: datetime | None = None
    late_uses: Sequence[LateUse] = ()
    uses: Sequence[TokenUse] = field(default=())

    @property
    def new_at(self) -> datetime | None:
        """Last use of the new token, on any assistant."""
        times = [each.new.at for each in self.targets if each.new]
        if self.new_token is not None:
            times.append(self.new_token.last_used_at)
        return max(times, default=None)

    @property
    def remaining(self) -> list[TargetEvidence]:
        """Assistants that are not done."""
        return [each for each in self.targets if not each.is_done]

    @property
    def last_attempt_at(self) -> datetime | None:
        """Last attempt with the old token, accepted or rejected."""
        return max([at for at in (self.old_at, *(late_use.at for late_use in self.late_uses)) if at], default=None)

    def is_accepted_after(self, revoked_at: datetime | None) -> bool:
        """Return whether Hoursmith accepted the old token after `revoked_at`, and has not rejected it since."""
        # Identities are cached for this long, so a call may still be accepted shortly after the revocation.
        grace = timedelta(seconds=settings.IDENTITY_TTL_S)
        is_used = revoked_at is not None and self.old_at is not None and self.old_at > revoked_at + grace
        return is_used and not self.is_rejected_after(self.old_at)

    def is_rejected_after(self, instant: datetime | None) -> bool:
        """Return whether Hoursmith has rejected the old token since `instant`."""
        return any(late_use.fault == "rejected" for late_use in self.late_uses_after(instant))

    def late_uses_after(self, instant: datetime | None) -> list[LateUse]:
        """Return rejected attempts since `instant`, newest first."""
        return [late_use for late_use in self.late_uses if instant is not None and late_use.at > instant]


def evidence_of(rotations: Iterable[Rotation]) -> Mapping[int, Evidence]:
    """Return the evidence of each rotation, by primary key."""
    asked = list(rotations)
    prefetch_related_objects(asked, "workspace", "owner")
    rows = _ObservedRows(asked)
    return {rotation.pk: rows.evidence(rotation) for rotation in asked}


class _ObservedRows:
    """Observed rows of all rotations at once."""

    def __init__(self, rotations: Sequence[Rotation]) -> None:
        self.targets: defaultdict[int, list[RotationTarget]] = defaultdict(list)
        for target in RotationTarget.objects.filter(rotation__in=rotations):
            self.targets[target.rotation_id].append(target)
        old = {(rotation.env, rotation.prefix) for rotation in rotations}
        new = {(rotation.new_env, rotation.new_prefix) for rotation in rotations if rotation.new_prefix}
        prefixes = [prefix for _, prefix in old | new]
        tokens = ObservedToken.objects.filter(prefix__in=prefixes).order_by()
        self.tokens = {(token.env, token.prefix): token for token in tokens}
        self.clients: defaultdict[int, list[ObservedClient]] = defaultdict(list)
        for client in ObservedClient.objects.filter(token__in=list(self.tokens.values())).order_by("-last_seen_at"):
            self.clients[client.token_id].append(client)
        slugs = {target.connection for targets in self.targets.values() for target in targets if target.connection}
        self.connections: defaultdict[TokenRef, list[ObservedConnection]] = defaultdict(list)
        for connection in ObservedConnection.objects.filter(prefix__in=prefixes).order_by():
            self.connections[TokenRef(connection.env, connection.prefix)].append(connection)
        self.grants: defaultdict[TokenRef, list[Grant]] = defaultdict(list)
        for grant in Grant.objects.filter(prefix__in=prefixes).order_by("created_at", "pk"):
            self.grants[TokenRef(grant.env, grant.prefix)].append(grant)
        self.rejected: defaultdict[TokenRef, list[RejectedCredential]] = defaultdict(list)
        old_prefixes = [prefix for _, prefix in old]
        # Attempts that carried only the prefix say nothing about assistants.
        rejected = RejectedCredential.objects.filter(prefix__in=old_prefixes, matches_token=True)
        for row in rejected.order_by("-last_at"):
            self.rejected[TokenRef(row.env, row.prefix)].append(row)
            slugs.add(row.connection)
        self.named = {each.slug: each for each in Connection.objects.filter(slug__in=slugs - {""})}

    def evidence(self, rotation: Rotation) -> Evidence:
        ref, new_ref = rotation.old_ref, TokenRef(rotation.new_env, rotation.new_prefix)
        targets = self.targets[rotation.pk]
        old, new = self._token(rotation, ref), self._token(rotation, new_ref)
        uses = self._uses(rotation, ref, old)
        places = {target.connection for target in targets}
        again = reconnections(rotation, places, [*self.grants[ref], *self.grants[new_ref]])
        late_uses = [self._late_use(rotation, targets, row) for row in self.rejected[ref]]
        found = [
            TargetEvidence.of(
                target,
                new=self._new(rotation, new_ref, new, target, again.get(target.connection, target.connection)),
                old_at=max((use.last_used_at for use in uses if _is_of(use, target)), default=None),
                late_use=next((late_use for late_use in late_uses if late_use.target is target), None),
            )
            for target in targets
        ]
        return Evidence(
            targets=found,
            new_token=new,
            old_token=old,
            old_at=max([use.last_used_at for use in uses] + ([old.last_used_at] if old else []), default=None),
            late_uses=late_uses,
            uses=uses,
        )

    def _token(self, rotation: Rotation, ref: TokenRef) -> ObservedToken | None:
        token = self.tokens.get(ref)
        return token if token is not None and token.org_id == rotation.workspace.org_id else None

    def _uses(self, rotation: Rotation, ref: TokenRef, token: ObservedToken | None) -> list[TokenUse]:
        clients = self.clients[token.pk] if token else []
        found = [TokenUse(client.connection, client.name, client.last_seen_at) for client in clients]
        found += [
            TokenUse(each.slug, each.client_name, each.last_seen_at)
            for each in self.connections[ref]
            if each.org_id == rotation.workspace.org_id and each.last_seen_at is not None
        ]
        return with_grants(found, [each for each in self.grants[ref] if each.org_id == rotation.workspace.org_id])

    def _new(
        self,
        rotation: Rotation,
        ref: TokenRef,
        token: ObservedToken | None,
        target: RotationTarget,
        connection: str,
    ) -> Observation | None:
        """Return the use of the new token by `target`: on its `connection`, or under its name on any."""
        seen = [
            Observation(client.last_seen_at, client.first_seen_at, client.name, client.version, "called a tool")
            for client in (self.clients[token.pk] if token else [])
            if (client.connection == connection if connection else client.name == target.client_name)
        ]
        for each in self.connections[ref]:
            is_here = connection == each.slug and each.org_id == rotation.workspace.org_id
            if is_here and each.last_seen_at is not None:
                at, doing = each.last_seen_at, each.last_method
                seen.append(Observation(at, at, each.client_name, each.client_version, f"called {doing}"))
        if not seen:
            return None
        latest = max(seen, key=lambda each: each.at)
        return Observation(
            latest.at, min(each.first_at for each in seen), latest.client, latest.version, self._doing(token, latest)
        )

    @staticmethod
    def _doing(token: ObservedToken | None, latest: Observation) -> str:
        # The token's row names the tool, if its last call is this one.
        if token is not None and token.last_used_at == latest.at and token.last_tool:
            return f"called {token.last_tool}"
        return latest.doing

    def _late_use(self, rotation: Rotation, targets: Sequence[RotationTarget], row: RejectedCredential) -> LateUse:
        use = TokenUse(row.connection, row.client_name, row.last_at)
        target = next((target for target in targets if _is_of(use, target)), None)
        connection = self.named.get(row.connection)
        known = connection.label if connection is not None and can_name_connection(rotation, connection) else None
        label = known or (target.label if target else row.client_name or "Unnamed client")
        return LateUse(
            target, row.client_name, row.connection if known else "", label, row.fault, row.address, row.last_at,
            row.attempts,
        )  # fmt: skip


def _is_of(use: TokenUse, target: RotationTarget) -> bool:
    return use.connection == target.connection if target.connection else use.key == ("", target.client_name)
