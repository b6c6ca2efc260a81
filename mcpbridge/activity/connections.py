"""Keeps what is seen of each connection: one assistant on one machine, by the id in its address.

An id is no secret and opens nothing. Whoever uses another workspace's gets the answers of their own token, and
leaves no trace on that connection but the name of the fault: that it was not a token of this workspace, or why it
was refused.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import F, Q

from mcpbridge.activity.observed import EndedCall
from mcpbridge.activity.rejections import Attempt
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.core.types import Caller, Identity
from mcpbridge.models import PREFIX_LENGTH, ObservedConnection

# Letters that nobody mistakes for one another when reading an address aloud.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_SLUG_LENGTH = 12
# Hoursmith took the token, but not the call: worth naming to whoever connects an assistant.
_TELLING = {402: "forbidden_plan"}
# Hoursmith took it as well, but it belongs to another workspace than the connection. Nothing else is said of it.
OTHER_WORKSPACE = "other_workspace"
# Of one batch; made-up ids beyond that are not even looked up.
_AT_MOST = 500


# What an address may name, whether or not there is such a connection.
ID_PATTERN = r"[A-Za-z0-9_-]{1,40}"


def is_connection_id(text: str) -> bool:
    """Whether `text` could be the id of a connection."""
    return re.fullmatch(ID_PATTERN, text, re.ASCII) is not None


class Greeting(NamedTuple):
    """An accepted request that is no tool call, such as `tools/list`, on a connection."""

    slug: str
    org_id: str
    role: str
    env: str
    prefix: str
    client_name: str
    client_version: str
    protocol: str
    transport: str
    address: str
    method: str
    at: datetime

    @classmethod
    def of(cls, caller: Caller, identity: Identity, *, method: str) -> "Greeting":
        """The greeting of `caller`, now."""
        return cls(
            slug=caller.connection,
            org_id=identity.org_id,
            role=identity.role,
            env=caller.env,
            prefix=caller.prefix,
            client_name=caller.client_name,
            client_version=caller.client_version,
            protocol=caller.protocol,
            transport=caller.transport,
            address=caller.address,
            method=method,
            at=datetime.now(UTC),
        )


def open_connection(*, org_id: str) -> ObservedConnection:
    """A new connection of the workspace, with an id that nobody has yet; nothing was seen of it."""
    slug = "".join(secrets.choice(_LETTERS) for _ in range(_SLUG_LENGTH))
    return ObservedConnection.objects.create(slug=slug, org_id=org_id)


def upsert_connections(
    alias: str,
    ended: Sequence[EndedCall],
    greetings: Iterable[Greeting],
    rejected: Iterable[Attempt],
    *,
    at: datetime,
) -> None:
    """Add a batch to the connections that it names; ids that were never opened are passed over."""
    changes = [*_greeted(greetings), *_called(ended), *_faulted(ended, rejected, at)]
    if not changes:
        return
    named = {change.slug for change in changes}
    known = dict(
        ObservedConnection.objects.using(alias).filter(slug__in=sorted(named)[:_AT_MOST]).values_list("slug", "org_id")
    )
    # In one order everywhere, so that two workers who meet in the same rows wait for each other, not both.
    for change in sorted(changes, key=lambda each: (each.slug, each.at)):
        if change.slug in known:
            is_bound = change.org_id in (None, known[change.slug])
            _apply(alias, change if is_bound else _foreign(change))


class _Change(NamedTuple):
    """What one connection's row becomes; `org_id` None: whoever it was. `calls` are added."""

    slug: str
    org_id: str | None
    at: datetime
    columns: Mapping[str, Any]
    field: str = "last_seen_at"
    calls: int = 0


def _foreign(change: _Change) -> _Change:
    """All that a workspace may learn of another's token at its address."""
    return _Change(change.slug, None, change.at, _fault(OTHER_WORKSPACE, "", "", ""), field="fault_at")


def _apply(alias: str, change: _Change) -> None:
    rows = ObservedConnection.objects.using(alias).filter(slug=change.slug)
    if change.calls:
        rows.update(calls=F("calls") + change.calls)
    if change.field == "last_seen_at":
        rows.filter(first_seen_at=None).update(first_seen_at=change.at)
    newer = Q(**{change.field: None}) | Q(**{f"{change.field}__lte": change.at})
    rows.filter(newer).update(**{change.field: change.at}, **change.columns)


def _greeted(greetings: Iterable[Greeting]) -> Iterable[_Change]:
    latest = {(each.slug, each.org_id): each for each in sorted(greetings, key=lambda each: each.at)}
    for each in latest.values():
        yield _Change(
            each.slug,
            sanitize_text(each.org_id, 64),
            each.at,
            {**_who(each), "role": sanitize_text(each.role, 16), "last_method": sanitize_text(each.method, 64)},
        )


def _called(ended: Sequence[EndedCall]) -> Iterable[_Change]:
    latest: dict[tuple[str, str], tuple[EndedCall, int]] = {}
    for each in ended:
        call = each.call
        if call.caller.connection and each.is_use:
            key = (sanitize_text(call.caller.connection, 40), sanitize_text(call.identity.org_id, 64))
            last, count = latest.get(key, (each, 0))
            latest[key] = (each if call.at >= last.call.at else last, count + 1)
    for (slug, org_id), (each, count) in latest.items():
        columns = {
            **_who(each.call.caller),
            "role": sanitize_text(each.call.identity.role, 16),
            "last_method": sanitize_text(each.call.tool, 64),
            "called_at": each.call.at,
            "last_status": each.ending.status,
        }
        yield _Change(slug, org_id, each.call.at, columns, calls=count)


def _faulted(ended: Sequence[EndedCall], rejected: Iterable[Attempt], at: datetime) -> Iterable[_Change]:
    for each in rejected:
        if each.connection:
            # Of which token the fault was is only said where the request carried that token.
            token = (each.env, each.prefix) if each.matches_token else ("", "")
            said = (each.fault, *token, each.client_name)
            yield _Change(sanitize_text(each.connection, 40), None, at, _fault(*said), field="fault_at")
    for call, ending, _ in ended:
        if call.caller.connection and ending.status in _TELLING:
            said = (_TELLING[ending.status], call.caller.env, call.caller.prefix, call.caller.client_name)
            yield _Change(sanitize_text(call.caller.connection, 40), None, call.at, _fault(*said), field="fault_at")


def _fault(fault: str, env: str, prefix: str, client: str) -> dict[str, str]:
    return {
        "fault": sanitize_text(fault, 40),
        "fault_env": sanitize_text(env, 4),
        "fault_prefix": sanitize_text(prefix, PREFIX_LENGTH),
        "fault_client": sanitize_text(client, 120),
    }


def _who(said: Any) -> dict[str, str]:
    """The columns that a greeting and a caller share."""
    return {
        "env": said.env,
        "prefix": said.prefix,
        "client_name": sanitize_text(said.client_name, 120),
        "client_version": sanitize_text(said.client_version, 60),
        "protocol": sanitize_text(said.protocol, 16),
        "transport": sanitize_text(said.transport, 8),
        "address": sanitize_text(said.address, 45),
    }
