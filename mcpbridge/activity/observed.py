"""Aggregate a batch of calls into ObservedToken and ObservedClient, one upsert per table.

A token's counters count its rows in the activity log, so that every number on a page equals the rows behind it. What
is known about a token changes only with calls in which Hoursmith accepted it.

A batch is summed up in memory first, so the number of statements does not depend on its size. Rows are sorted, so that
two workers that update the same rows cannot deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.core.token_digest import Digests, is_digest_of
from mcpbridge.core.types import Call, CallResult
from mcpbridge.db.bulk import upsert
from mcpbridge.models import TOOL_KINDS, CallKind, ObservedClient, ObservedToken, Result, TokenRef

_CHUNK = 400
# Older than any call, so that the row keeps what a later call has set.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS = (*(f"calls_{kind}" for kind in TOOL_KINDS), "calls_attempted", "calls_refused")


class EndedCall(NamedTuple):
    """A finished call. `is_accepted`: its identity is what Hoursmith's `/me` returned for this token."""

    call: Call
    call_result: CallResult
    is_accepted: bool

    @property
    def is_use(self) -> bool:
        """Return whether Hoursmith accepted the token in this call, not only in an earlier one."""
        return self.is_accepted and bool(self.call.identity.org_id) and self.call_result.status != 401


class KnownToken(NamedTuple):
    """A token that Hoursmith has accepted before."""

    pk: int
    org_id: str
    digest: bytes | None

    def matches(self, digests: Digests) -> bool:
        """Return whether a credential with `digests` is this token, and not only has its prefix."""
        return is_digest_of(self.digest, digests)


def known_tokens(alias: str, keys: Iterable[TokenRef]) -> dict[TokenRef, KnownToken]:
    """Return the tokens among `keys` that Hoursmith has accepted before; a caller may know only the prefix."""
    wanted = set(keys)
    prefixes = sorted({prefix for _, prefix in wanted})
    found: dict[TokenRef, KnownToken] = {}
    for start in range(0, len(prefixes), _CHUNK):
        rows = ObservedToken.objects.using(alias).filter(prefix__in=prefixes[start : start + _CHUNK])
        for env, prefix, pk, org_id, digest in rows.values_list("env", "prefix", "pk", "org_id", "token_digest"):
            if (env, prefix) in wanted:
                found[TokenRef(env, prefix)] = KnownToken(pk, org_id, None if digest is None else bytes(digest))
    return found


def workspace_of(each: EndedCall, tokens: Mapping[TokenRef, KnownToken]) -> str:
    """Return the workspace to which a call belongs; empty if it is not known."""
    org_id = sanitize_text(each.call.identity.org_id, 64)
    if org_id:
        return org_id
    # Hoursmith did not return the workspace, for example because it is unavailable; an earlier call may have. The
    # prefix proves nothing: it must be the token itself, by its digest or by Hoursmith's answer.
    token = tokens.get(each.call.caller.token_ref)
    return token.org_id if token is not None and _is_of(each, token) else ""


def _is_of(each: EndedCall, token: KnownToken) -> bool:
    return each.is_accepted or token.matches(each.call.caller.digests)


def upsert_tokens(alias: str, ended: Sequence[EndedCall]) -> None:
    """Add the calls among `ended` to their tokens; calls that Hoursmith did not accept only to the counters."""
    unaccepted = [each for each in ended if not each.is_use]
    known = known_tokens(alias, (each.call.caller.token_ref for each in unaccepted)) if unaccepted else {}
    sums: dict[TokenRef, _Sum] = {}
    for each in ended:
        if each.is_use:
            sums.setdefault(each.call.caller.token_ref, _Sum(each)).add(each)
    for each in unaccepted:
        key = each.call.caller.token_ref
        token = known.get(key)
        if token is None:
            is_counted = key in sums and each.is_accepted
        else:
            is_counted = _is_of(each, token) and workspace_of(each, known) == token.org_id
        if is_counted:
            sums.setdefault(key, _Sum(each)).add(each)
    upsert(
        alias,
        ObservedToken,
        [_token_columns(sums[key]) for key in sorted(sums)],
        key=("env", "prefix"),
        added=_COUNTS,
        # Without the workspace: a token belongs to one workspace permanently, and so does its history.
        latest=(
            *("org_name", "token_name", "role", "plan", "scopes", "last_tool", "last_status", "last_used_at"),
            # The secret that Hoursmith accepted last replaces the former digest.
            "token_digest",
        ),
        by="last_used_at",
    )


def upsert_clients(alias: str, ended: Sequence[EndedCall], tokens: Mapping[TokenRef, KnownToken]) -> None:
    """Add the accepted calls among `ended` to the AI clients that made them."""
    names: dict[tuple[str, str, str], tuple[str, str, str]] = {}
    sums: dict[tuple[int, str, str, str], _Sum] = {}
    for each in ended:
        caller = each.call.caller
        token = tokens.get(caller.token_ref)
        if not each.is_use or token is None:
            continue
        said = (caller.client_name, caller.client_version, caller.connection)
        if said not in names:
            names[said] = (sanitize_text(said[0], 120), sanitize_text(said[1], 60), sanitize_text(said[2], 40))
        key = (token.pk, *names[said])
        sums.setdefault(key, _Sum(each)).add(each)
    upsert(
        alias,
        ObservedClient,
        [_client_columns(key, sums[key]) for key in sorted(sums)],
        key=("token", "name", "version", "connection"),
        added=("calls",),
        latest=("protocol", "transport", "address", "last_seen_at"),
        by="last_seen_at",
    )


class _Sum:
    """The sum of the calls of one token, or of one AI client with it."""

    __slots__ = ("attempted", "by_kind", "first_at", "last", "refused")

    def __init__(self, first: EndedCall) -> None:
        self.first_at = first.call.at
        self.last = first
        self.by_kind = dict.fromkeys(TOOL_KINDS, 0)
        self.attempted = self.refused = 0

    @property
    def calls(self) -> int:
        """All calls."""
        return sum(self.by_kind.values()) + self.refused

    def add(self, each: EndedCall) -> None:
        at, kind = each.call.at, each.call.kind
        self.attempted += kind is CallKind.DESTRUCTIVE
        if each.call_result.result is Result.SUCCEEDED:
            self.by_kind[kind] += 1
        else:
            self.refused += 1
        if at < self.first_at:
            self.first_at = at
        # A use comes before any call that is none.
        if (each.is_use, at) >= (self.last.is_use, self.last.call.at):
            self.last = each


def _token_columns(total: _Sum) -> dict[str, Any]:
    call, call_result, _ = total.last
    identity, is_use = call.identity, total.last.is_use
    return {
        "env": call.caller.env,
        "prefix": call.caller.prefix,
        "token_digest": call.caller.digests[0] if call.caller.digests else None,
        "org_id": sanitize_text(identity.org_id, 64),
        "org_name": sanitize_text(identity.org_name, 200),
        "token_name": sanitize_text(identity.token_name, 200),
        "role": sanitize_text(identity.role, 16),
        "plan": sanitize_text(identity.plan, 16),
        "scopes": [sanitize_text(scope, 64) for scope in identity.scopes[:20]],
        "first_used_at": total.first_at,
        "last_used_at": call.at if is_use else _NEVER,
        "last_tool": sanitize_text(call.tool, 64),
        "last_status": call_result.status,
        **{f"calls_{kind}": count for kind, count in total.by_kind.items()},
        "calls_attempted": total.attempted,
        "calls_refused": total.refused,
    }


def _client_columns(key: tuple[int, str, str, str], total: _Sum) -> dict[str, Any]:
    token, name, version, connection = key
    caller = total.last.call.caller
    return {
        "token": token,
        "name": name,
        "version": version,
        "connection": connection,
        "protocol": sanitize_text(caller.protocol, 16),
        "transport": sanitize_text(caller.transport, 8),
        "address": sanitize_text(caller.address, 45),
        "first_seen_at": total.first_at,
        "last_seen_at": total.last.call.at,
        "calls": total.calls,
    }
