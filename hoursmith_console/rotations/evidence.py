"""What the bridge saw of rotations: the new token at work, the old one lagging or knocking. Reads, changes nothing.

Whatever the number of rotations it takes the same few questions, so that lists and the watch can ask for all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import prefetch_related_objects

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationPlace
from hoursmith_console.rotations.targets import Use, may_name
from mcpbridge.models import RejectedCredential, SeenClient, SeenConnection, SeenToken

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An accepted request: `doing` is a tool's name, or an MCP method."""

    at: datetime
    first_at: datetime
    client: str
    version: str = ""
    doing: str = ""


@dataclass(frozen=True, slots=True)
class Knock:
    """A try with the old token that was turned away. `place` is None where none of the known assistants made it."""

    place: RotationPlace | None
    client_name: str
    connection: str
    label: str
    fault: str
    address: str
    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class PlaceEvidence:
    """One assistant: the new token there, the old one there, the old one turned away there.

    `is_lagging`: the old token was used here after the new one, or after somebody said that it is updated.
    """

    place: RotationPlace
    new: Sighting | None = None
    old_at: datetime | None = None
    knock: Knock | None = None
    seen_at: datetime | None = None
    is_lagging: bool = False

    @classmethod
    def of(
        cls, place: RotationPlace, *, new: Sighting | None, old_at: datetime | None, knock: Knock | None
    ) -> "PlaceEvidence":
        """Return what these sightings say of `place`."""
        seen_at = place.seen_at or (new.first_at if new else None)
        told = [instant for instant in (place.ticked_at, seen_at) if instant is not None]
        is_lagging = bool(told) and old_at is not None and old_at > max(told) and not place.given_up_at
        return cls(place, new=new, old_at=old_at, knock=knock, seen_at=seen_at, is_lagging=is_lagging)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do here."""
        return self.place.given_up_at is not None or (self.seen_at is not None and not self.is_lagging)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of one rotation. What a page shows of it is `rotation.progress.sight.in_sight`."""

    places: Sequence[PlaceEvidence] = ()
    new_token: SeenToken | None = None
    old_token: SeenToken | None = None
    old_at: datetime | None = None
    knocks: Sequence[Knock] = ()
    uses: Sequence[Use] = field(default=())

    @property
    def new_at(self) -> datetime | None:
        """When the new token was last seen anywhere."""
        times = [each.new.at for each in self.places if each.new]
        if self.new_token is not None:
            times.append(self.new_token.last_used_at)
        return max(times, default=None)

    @property
    def unsettled(self) -> list[PlaceEvidence]:
        """The assistants that are not done."""
        return [each for each in self.places if not each.is_settled]

    @property
    def last_try_at(self) -> datetime | None:
        """When somebody last tried the old token, with success or without."""
        return max([at for at in (self.old_at, *(knock.at for knock in self.knocks)) if at], default=None)

    def works_after(self, revoked_at: datetime | None) -> bool:
        """Whether Hoursmith accepted the old token after it was said to be revoked."""
        # Until the bridge asks Hoursmith anew, it may still refuse for other reasons than the token.
        grace = timedelta(seconds=settings.IDENTITY_TTL_S)
        is_used = revoked_at is not None and self.old_at is not None and self.old_at > revoked_at + grace
        return is_used and not self.is_refused_after(self.old_at)

    def is_refused_after(self, instant: datetime | None) -> bool:
        """Whether Hoursmith itself refused the old token since."""
        return any(knock.fault == "rejected" for knock in self.knocks_after(instant))

    def knocks_after(self, instant: datetime | None) -> list[Knock]:
        """The tries that were turned away since, the latest first."""
        return [knock for knock in self.knocks if instant is not None and knock.at > instant]


def evidence_of(rotations: Iterable[Rotation]) -> Mapping[int, Evidence]:
    """The evidence of each of `rotations`, by their keys."""
    asked = list(rotations)
    prefetch_related_objects(asked, "workspace", "owner")
    seen = _Seen(asked)
    return {rotation.pk: seen.evidence(rotation) for rotation in asked}


class _Seen:
    """The bridge's rows about all rotations at once."""

    def __init__(self, rotations: Sequence[Rotation]) -> None:
        self.places: defaultdict[int, list[RotationPlace]] = defaultdict(list)
        for place in RotationPlace.objects.filter(rotation__in=rotations):
            self.places[place.rotation_id].append(place)
        old = {(rotation.env, rotation.prefix) for rotation in rotations}
        new = {(rotation.new_env, rotation.new_prefix) for rotation in rotations if rotation.new_prefix}
        prefixes = [prefix for _, prefix in old | new]
        tokens = SeenToken.objects.filter(prefix__in=prefixes).order_by()
        self.tokens = {(token.env, token.prefix): token for token in tokens}
        self.clients: defaultdict[int, list[SeenClient]] = defaultdict(list)
        for client in SeenClient.objects.filter(token__in=list(self.tokens.values())).order_by("-last_seen_at"):
            self.clients[client.token_id].append(client)
        slugs = {place.connection for places in self.places.values() for place in places if place.connection}
        self.connections: defaultdict[Key, list[SeenConnection]] = defaultdict(list)
        for connection in SeenConnection.objects.filter(prefix__in=prefixes).order_by():
            self.connections[connection.env, connection.prefix].append(connection)
        self.rejected: defaultdict[Key, list[RejectedCredential]] = defaultdict(list)
        old_prefixes = [prefix for _, prefix in old]
        # Who only knows the prefix is no assistant of this rotation, whatever name was given.
        rejected = RejectedCredential.objects.filter(prefix__in=old_prefixes, matches_token=True)
        for row in rejected.order_by("-last_at"):
            self.rejected[row.env, row.prefix].append(row)
            slugs.add(row.connection)
        self.named = {each.slug: each for each in Connection.objects.filter(slug__in=slugs - {""})}

    def evidence(self, rotation: Rotation) -> Evidence:
        key, new_key = (rotation.env, rotation.prefix), (rotation.new_env, rotation.new_prefix)
        places = self.places[rotation.pk]
        old, new = self._token(rotation, key), self._token(rotation, new_key)
        uses = self._uses(rotation, key, old)
        knocks = [self._knock(rotation, places, row) for row in self.rejected[key]]
        found = [
            PlaceEvidence.of(
                place,
                new=self._new(rotation, new_key, new, place),
                old_at=max((use.last_used_at for use in uses if _is_of(use, place)), default=None),
                knock=next((knock for knock in knocks if knock.place is place), None),
            )
            for place in places
        ]
        return Evidence(
            places=found,
            new_token=new,
            old_token=old,
            old_at=max([use.last_used_at for use in uses] + ([old.last_used_at] if old else []), default=None),
            knocks=knocks,
            uses=uses,
        )

    def _token(self, rotation: Rotation, key: Key) -> SeenToken | None:
        token = self.tokens.get(key)
        return token if token is not None and token.org_id == rotation.workspace.org_id else None

    def _uses(self, rotation: Rotation, key: Key, token: SeenToken | None) -> list[Use]:
        clients = self.clients[token.pk] if token else []
        found = [Use(client.connection, client.name, client.last_seen_at) for client in clients]
        return found + [
            Use(each.slug, each.client_name, each.last_seen_at)
            for each in self.connections[key]
            if each.org_id == rotation.workspace.org_id and each.last_seen_at is not None
        ]

    def _new(self, rotation: Rotation, key: Key, token: SeenToken | None, place: RotationPlace) -> Sighting | None:
        """The new token at `place`: on its connection, or with its name on any."""
        seen = [
            Sighting(client.last_seen_at, client.first_seen_at, client.name, client.version, "called a tool")
            for client in (self.clients[token.pk] if token else [])
            if (client.connection == place.connection if place.connection else client.name == place.client_name)
        ]
        for each in self.connections[key]:
            is_here = place.connection == each.slug and each.org_id == rotation.workspace.org_id
            if is_here and each.last_seen_at is not None:
                at, doing = each.last_seen_at, each.last_method
                seen.append(Sighting(at, at, each.client_name, each.client_version, f"called {doing}"))
        if not seen:
            return None
        latest = max(seen, key=lambda each: each.at)
        return Sighting(
            latest.at, min(each.first_at for each in seen), latest.client, latest.version, self._doing(token, latest)
        )

    @staticmethod
    def _doing(token: SeenToken | None, latest: Sighting) -> str:
        # The token's own row knows the tool, where its last call is the one that is told of.
        if token is not None and token.last_used_at == latest.at and token.last_tool:
            return f"called {token.last_tool}"
        return latest.doing

    def _knock(self, rotation: Rotation, places: Sequence[RotationPlace], row: RejectedCredential) -> Knock:
        use = Use(row.connection, row.client_name, row.last_at)
        place = next((place for place in places if _is_of(use, place)), None)
        connection = self.named.get(row.connection)
        known = connection.label if connection is not None and may_name(rotation, connection) else None
        label = known or (place.label if place else row.client_name or "Somebody")
        return Knock(
            place, row.client_name, row.connection if known else "", label, row.fault, row.address, row.last_at,
            row.attempts,
        )  # fmt: skip


def _is_of(use: Use, place: RotationPlace) -> bool:
    return use.connection == place.connection if place.connection else use.key == ("", place.client_name)
