"""The restrictions in force, held in memory so that no request waits for the database."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from django.db import connections, transaction

from mcpbridge.auth.restrictions.change_marker import ChangeMarker
from mcpbridge.models import (
    ApprovalRequest,
    ApprovalRule,
    Freeze,
    Grant,
    SnapshotStop,
    TokenBlock,
    TokenNotice,
    TokenRef,
)

NOTIFY_CHANNEL = "mcpbridge_restrictions"
_BLOCKS = f"SELECT env, prefix FROM {TokenBlock._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
_FREEZES = f"SELECT org_id, env, prefix FROM {Freeze._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
_NOTICES = f"SELECT env, prefix, text, is_in_text FROM {TokenNotice._meta.db_table} WHERE ended_at IS NULL"  # noqa: S608
_STOPS = f"SELECT org_id FROM {SnapshotStop._meta.db_table} WHERE lifted_at IS NULL"  # noqa: S608
_RULES = f"SELECT org_id, tools, tokens, hourly_limit, answered_in, holds_s, lasts_s FROM {ApprovalRule._meta.db_table}"  # noqa: S608
# CURRENT_TIMESTAMP is UTC in both databases, and in SQLite compares with the texts that Django stores.
_ENDED_GRANTS = f"SELECT id FROM {Grant._meta.db_table} WHERE refused_until > CURRENT_TIMESTAMP"  # noqa: S608
_UNDECIDED = f"SELECT id FROM {ApprovalRequest._meta.db_table} WHERE closed_at IS NULL AND decision = ''"  # noqa: S608
QUERIES = (_BLOCKS, _FREEZES, _NOTICES, _STOPS, _RULES, _ENDED_GRANTS, _UNDECIDED)


class Notice(NamedTuple):
    """One line for the assistant's user; `is_in_text` if the workspace wants it in the result's text."""

    text: str
    is_in_text: bool


class ApprovalPolicy(NamedTuple):
    """Which destructive calls of a workspace need approval, who answers, and for how many seconds a call is held."""

    tools: frozenset[str]
    tokens: frozenset[str]
    hourly_limit: int | None
    answered_in: str
    holds_s: int
    lasts_s: int

    @property
    def is_active(self) -> bool:
        """Return whether any call needs approval."""
        return bool(self.tools or self.tokens) or self.hourly_limit is not None


@dataclass(frozen=True, slots=True)
class Restrictions:
    """All restrictions in force at one moment."""

    blocks: frozenset[TokenRef] = frozenset()
    freezes: frozenset[tuple[str, str, str]] = frozenset()
    notices: Mapping[TokenRef, Notice] = field(default_factory=dict)
    snapshot_stops: frozenset[str] = frozenset()
    approval_policies: Mapping[str, ApprovalPolicy] = field(default_factory=dict)
    ended_grants: frozenset[str] = frozenset()
    undecided: frozenset[int] = frozenset()

    @classmethod
    def from_rows(
        cls,
        blocks: Iterable[Iterable[Any]],
        freezes: Iterable[Iterable[Any]],
        notices: Iterable[Iterable[Any]],
        stops: Iterable[Iterable[Any]],
        rules: Iterable[Iterable[Any]],
        ended_grants: Iterable[Iterable[Any]] = (),
        undecided: Iterable[Iterable[Any]] = (),
    ) -> "Restrictions":
        """Build Restrictions from the rows of the seven queries in QUERIES, in that order."""
        return cls(
            blocks=frozenset(TokenRef(env, prefix) for env, prefix in blocks),
            freezes=frozenset((org_id, env, prefix) for org_id, env, prefix in freezes),
            notices={TokenRef(*token): Notice(text, bool(is_in_text)) for *token, text, is_in_text in notices},
            snapshot_stops=frozenset(org_id for (org_id,) in stops),
            approval_policies={
                org_id: rule
                for org_id, tools, tokens, *rest in rules
                if (rule := ApprovalPolicy(frozenset(_list(tools)), frozenset(_list(tokens)), *rest)).is_active
            },
            ended_grants=frozenset(grant for (grant,) in ended_grants),
            undecided=frozenset(pk for (pk,) in undecided),
        )

    def is_blocked(self, token: TokenRef) -> bool:
        """Return whether the token is blocked."""
        return token in self.blocks

    def has_ended(self, grant: str) -> bool:
        """Return whether the grant with this id has ended; its envelopes may not have expired."""
        return grant in self.ended_grants

    def pauses_destructive_tools(self, org_id: str, token: TokenRef) -> bool:
        """Return whether destructive tools are paused for the token, or for its whole workspace."""
        return bool(self.freezes) and ((org_id, *token) in self.freezes or (org_id, "", "") in self.freezes)

    def turns_off_snapshots(self, org_id: str) -> bool:
        """Return whether the workspace has turned snapshots off."""
        return org_id in self.snapshot_stops

    def approval_policy(self, org_id: str) -> ApprovalPolicy | None:
        """Return which of the workspace's destructive calls need approval; None if none does."""
        return self.approval_policies.get(org_id)

    def notice(self, token: TokenRef) -> Notice | None:
        """Return the notice for the user of the token's assistant, if any."""
        return self.notices.get(token)


def _list(stored: Any) -> list[str]:
    """Return the list in a JSON column as the driver returns it; SQLite's returns text."""
    found: list[str] = json.loads(stored) if isinstance(stored, str) else stored
    return found


class RestrictionsUnknownError(Exception):
    """Neither the database nor a copy of the restrictions could be read since the start. The text is for the caller."""

    def __init__(self) -> None:
        super().__init__(
            "The console does not know yet which tokens are blocked and which tools are paused, so it answers no"
            " requests: its database is unavailable, and there is no valid copy of the restrictions on disk."
            " Try again in a moment; an operator can see the cause at /readyz and in the log."
        )


class RestrictionStore(Protocol):
    """The source of the restrictions."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def now(self) -> Restrictions:
        """Return those in force; raise RestrictionsUnknownError if none could be read since the start."""

    def fault(self) -> str:
        """Return for an operator why the restrictions may be outdated; empty if the database supplied them."""


def notify_restrictions_changed() -> None:
    """Make every worker and machine reload the restrictions once this transaction is committed."""
    connection = connections["default"]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {NOTIFY_CHANNEL}")
    else:
        transaction.on_commit(ChangeMarker(str(connection.settings_dict["NAME"])).change)
