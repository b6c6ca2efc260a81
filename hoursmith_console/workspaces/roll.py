"""Reads a workspace and its members from Hoursmith, with a token that is used for this and then dropped.

`/me` names no person, so nobody's token tells the console who they are; the list of members does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcpbridge.credentials import Credential
from mcpbridge.problems import from_reply
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import Upstream, UpstreamError

PAGE = 200
PAGES_AT_MOST = 100


class RollError(Exception):
    """The members could not be read; the text says why, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Roll:
    """A workspace and everybody in it, as Hoursmith's objects `me` and `member`."""

    me: dict[str, Any]
    members: list[dict[str, Any]]


async def roll_read(
    upstream: Upstream, credential: Credential, *, progress: Callable[[int], None] | None = None
) -> Roll:
    """The roll of the workspace that `credential` belongs to; raises RollError.

    `progress` is told how many members were read so far.
    """
    me = (await _get(upstream, credential, "/me"))["data"]
    if me.get("role") not in ("OWNER", "ADMIN"):
        raise RollError(
            f"This token acts as {me.get('role', 'nobody')}; reading all members needs an Owner's or Admin's."
        )
    members: list[dict[str, Any]] = []
    cursor = None
    for _ in range(PAGES_AT_MOST):
        page = await _get(upstream, credential, "/members", *([("cursor", cursor)] if cursor else []))
        members += page["data"]
        if progress:
            progress(len(members))
        cursor = (page.get("pagination") or {}).get("nextCursor")
        if not cursor:
            return Roll(me, members)
    raise RollError(f"There are more than {PAGE * PAGES_AT_MOST} members; that is more than the console takes.")


async def _get(upstream: Upstream, credential: Credential, path: str, *query: tuple[str, str]) -> dict[str, Any]:
    more = [("limit", str(PAGE))] if path == "/members" else []
    request = RestRequest("GET", path, query=[*more, *query], route=path)
    try:
        reply = await upstream.send(request, credential)
    except UpstreamError as error:
        raise RollError(f"Hoursmith could not be asked ({error.code}).") from None
    if not reply.is_success:
        found = from_reply(reply, request)
        raise RollError(f"Hoursmith answered {found.status}: {found.message} {found.hint}")
    return reply.payload
