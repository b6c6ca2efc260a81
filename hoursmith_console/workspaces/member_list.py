"""Read a workspace and its members from Hoursmith, with a token that is not stored.

`/me` does not name the user, so members are known only from the list of members.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from hoursmith_console.accounts.addresses import normalize_email
from hoursmith_console.core.texts import is_storable, one_line
from hoursmith_console.workspaces.models import INVITED, Role
from mcpbridge.calls.errors import from_response
from mcpbridge.core.credential import Credential
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import Upstream, UpstreamError

PAGE = 200
PAGES_AT_MOST = 100
_ID_LENGTH, _EMAIL_LENGTH = 64, 254


class MemberListError(Exception):
    """The members could not be read; the text tells the operator why."""


@dataclass(frozen=True, slots=True)
class MemberList:
    """A workspace and its members, as Hoursmith's objects `me` and `member`."""

    me: dict[str, Any]
    members: list[Any]


@dataclass(frozen=True, slots=True)
class ListedMember:
    """A member as Hoursmith's list has them; missing or invalid values are empty."""

    user_ref: str
    member_id: str
    name: str
    email: str
    role: str


@dataclass(slots=True)
class ParsedMembers:
    """Members by user id, and problems found in the list."""

    members: dict[str, ListedMember] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


async def fetch_member_list(
    upstream: Upstream, credential: Credential, *, progress: Callable[[int], None] | None = None
) -> MemberList:
    """Return the member list of the workspace that `credential` belongs to. Raises MemberListError.

    `progress` is called with the number of members read so far.
    """
    me = _object(await _get(upstream, credential, "/me"), "/me")
    for name in ("orgId", "orgName", "plan"):
        if not isinstance(me.get(name), str) or not me[name] or len(me["orgId"]) > _ID_LENGTH:
            raise MemberListError(f"Hoursmith's response to GET /me has no usable {name}. Nothing was changed.")
    if me.get("role") not in ("OWNER", "ADMIN"):
        raise MemberListError(
            f"This token has the role {me.get('role', 'none')}. Use the token of an Owner or Admin to read all members."
        )
    members: list[Any] = []
    cursor = None
    for _ in range(PAGES_AT_MOST):
        page = await _get(upstream, credential, "/members", *([("cursor", cursor)] if cursor else []))
        if not isinstance(page.get("data"), list):
            raise MemberListError("Hoursmith's response to GET /members has no list of members. Nothing was changed.")
        members += page["data"]
        if progress:
            progress(len(members))
        cursor = (page.get("pagination") or {}).get("nextCursor")
        if not cursor:
            return MemberList(me, members)
    raise MemberListError(f"The workspace has more than {PAGE * PAGES_AT_MOST} members, which is the console's limit.")


def _object(answer: Mapping[str, Any], path: str) -> dict[str, Any]:
    found = answer.get("data")
    if not isinstance(found, dict):
        raise MemberListError(f"Hoursmith's response to GET {path} has no data. Nothing was changed.")
    return found


async def _get(upstream: Upstream, credential: Credential, path: str, *query: tuple[str, str]) -> dict[str, Any]:
    more = [("limit", str(PAGE))] if path == "/members" else []
    request = RestRequest("GET", path, query=[*more, *query], route=path)
    try:
        reply = await upstream.send(request, credential)
    except UpstreamError as error:
        raise MemberListError(f"Hoursmith could not be reached ({error.code}).") from None
    if not reply.is_success:
        found = from_response(reply, request)
        raise MemberListError(f"Hoursmith answered {found.status}: {found.message} {found.hint}")
    return reply.payload if isinstance(reply.payload, dict) else {}


def parse_member_list(members: Sequence[Any]) -> ParsedMembers:
    """Parse Hoursmith's member objects. Raises MemberListError if none of them is an Owner.

    Every workspace has an Owner, so a list without one is incomplete and would revoke everyone's access.
    """
    parsed = ParsedMembers()
    for number, each in enumerate(members, start=1):
        facts = each if isinstance(each, dict) else {}
        user_ref = facts.get("userId")
        if not isinstance(user_ref, str) or not _is_id(user_ref):
            parsed.problems.append(f"Entry {number} of Hoursmith's list has no usable userId and is left out.")
            continue
        listed = _listed(user_ref, facts, parsed.problems)
        known = parsed.members.get(user_ref)
        if known is not None:
            parsed.problems.append(f"{_shown(known)} is listed twice; the lower role counts.")
            listed = min(known, listed, key=lambda one: _ROLE_RANK.get(one.role, 0))
        parsed.members[user_ref] = listed
    if not any(listed.role == Role.OWNER for listed in parsed.members.values()):
        raise MemberListError("Hoursmith's list of members has no Owner, so it is incomplete. Nothing was changed.")
    _report_shared_addresses(parsed)
    return parsed


_ROLE_RANK: dict[str, int] = {Role.MEMBER: 0, Role.MANAGER: 1, Role.ADMIN: 2, Role.OWNER: 3}


def _listed(user_ref: str, facts: Mapping[str, Any], problems: list[str]) -> ListedMember:
    email, role, member_id = facts.get("email"), facts.get("role"), facts.get("id")
    listed = ListedMember(
        user_ref,
        member_id if isinstance(member_id, str) and is_storable(member_id, _ID_LENGTH) else "",
        one_line(facts.get("name"), 200),
        normalize_email(email) if isinstance(email, str) and _is_address(email) else "",
        role if isinstance(role, str) and role in Role.values else "",
    )
    if not listed.email:
        problems.append(f"{_shown(listed)} has no usable e-mail address in Hoursmith's list.")
    if not listed.role:
        problems.append(f"{_shown(listed)} has an unknown role and is treated as {Role.MEMBER}.")
    return listed


def _report_shared_addresses(parsed: ParsedMembers) -> None:
    first: dict[str, ListedMember] = {}
    for listed in parsed.members.values():
        known = first.setdefault(listed.email, listed)
        if listed.email and known is not listed:
            parsed.problems.append(f"{_shown(listed)} and {_shown(known)} have the same address at Hoursmith.")


def _shown(listed: ListedMember) -> str:
    return f"{listed.name or 'A member'} ({listed.email or listed.user_ref})"


def _is_id(text: str) -> bool:
    return is_storable(text, _ID_LENGTH) and not text.startswith(INVITED)


def _is_address(text: str) -> bool:
    try:
        EmailValidator()(text.strip())
    except ValidationError:
        return False
    return is_storable(text.strip(), _EMAIL_LENGTH)
