"""Observe each connection: one AI client on one machine, identified by the id in its URL.

The id is not a secret and grants no access. A token of another workspace gets its usual answers, and the connection
only stores the error: that the token belongs to another workspace, or why it was rejected.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, Q
from django.utils import timezone

from mcpbridge.activity.observed import EndedCall
from mcpbridge.activity.rejections import Attempt
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.core.types import Caller, Identity
from mcpbridge.models import PREFIX_LENGTH, ObservedConnection

# Characters that cannot be confused when a URL is read aloud.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_SLUG_LENGTH = 12
# Hoursmith accepted the token but refused the call: shown to the member who connects an assistant.
_SHOWN_STATUSES = {402: "forbidden_plan"}
# Hoursmith accepted the token, but it belongs to another workspace. Nothing else is stored about it.
OTHER_WORKSPACE = "other_workspace"
# Ids of one batch; invented ids beyond that are not even queried.
_MOST_IDS = 500


# Ids that a URL may contain, whether or not such a connection exists.
ID_PATTERN = r"[A-Za-z0-9_-]{1,40}"


def is_connection_id(text: str) -> bool:
    """Return whether `text` has the form of a connection id."""
    return re.fullmatch(ID_PATTERN, text, re.ASCII) is not None


class Greeting(NamedTuple):
    """An accepted request on a connection that is not a tool call, such as `tools/list`."""

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
        """Build the greeting of `caller`, now."""
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
            at=timezone.now(),
        )


def open_connection(*, org_id: str) -> ObservedConnection:
    """Create a connection of the workspace with a new id."""
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
    """Update the connections that a batch names; unknown ids are ignored."""
    changes = [*_greeted(greetings), *_called(ended), *_faulted(ended, rejected, at)]
    if not changes:
        return
    named = {change.slug for change in changes}
    known = dict(
        ObservedConnection.objects.using(alias).filter(slug__in=sorted(named)[:_MOST_IDS]).values_list("slug", "org_id")
    )
    # Sorted, so that two workers that update the same rows cannot deadlock.
    for change in sorted(changes, key=lambda each: (each.slug, each.at)):
        if change.slug in known:
            is_bound = change.org_id in (None, known[change.slug])
            _apply(alias, change if is_bound else _foreign(change))


class _Change(NamedTuple):
    """An update of one connection; `org_id` is None for any workspace. `calls` are added."""

    slug: str
    org_id: str | None
    at: datetime
    columns: Mapping[str, Any]
    field: str = "last_seen_at"
    calls: int = 0


def _foreign(change: _Change) -> _Change:
    """Reduce a change to what a workspace may see of another workspace's token."""
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
            {
                **_caller_columns(each),
                "role": sanitize_text(each.role, 16),
                "last_method": sanitize_text(each.method, 64),
            },
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
            **_caller_columns(each.call.caller),
            "role": sanitize_text(each.call.identity.role, 16),
            "last_method": sanitize_text(each.call.tool, 64),
            "called_at": each.call.at,
            "last_status": each.call_result.status,
        }
        yield _Change(slug, org_id, each.call.at, columns, calls=count)


def _faulted(ended: Sequence[EndedCall], rejected: Iterable[Attempt], at: datetime) -> Iterable[_Change]:
    for each in rejected:
        if each.connection:
            # The token is only named if the request carried the whole token.
            token = (each.env, each.prefix) if each.matches_token else ("", "")
            said = (each.fault, *token, each.client_name)
            yield _Change(sanitize_text(each.connection, 40), None, at, _fault(*said), field="fault_at")
    for call, call_result, _ in ended:
        if call.caller.connection and call_result.status in _SHOWN_STATUSES:
            said = (_SHOWN_STATUSES[call_result.status], call.caller.env, call.caller.prefix, call.caller.client_name)
            yield _Change(sanitize_text(call.caller.connection, 40), None, call.at, _fault(*said), field="fault_at")


def _fault(fault: str, env: str, prefix: str, client: str) -> dict[str, str]:
    return {
        "fault": sanitize_text(fault, 40),
        "fault_env": sanitize_text(env, 4),
        "fault_prefix": sanitize_text(prefix, PREFIX_LENGTH),
        "fault_client": sanitize_text(client, 120),
    }


def _caller_columns(source: Any) -> dict[str, str]:
    """Return the columns that a greeting and a caller share."""
    return {
        "env": source.env,
        "prefix": source.prefix,
        "client_name": sanitize_text(source.client_name, 120),
        "client_version": sanitize_text(source.client_version, 60),
        "protocol": sanitize_text(source.protocol, 16),
        "transport": sanitize_text(source.transport, 8),
        "address": sanitize_text(source.address, 45),
    }
