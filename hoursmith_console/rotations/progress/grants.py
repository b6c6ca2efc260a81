"""Assistants that signed in, in a rotation: which hold the old token, and which were connected again with the new one.

An assistant that signs in gets a connection of its own with each grant, so the connection of its old grant never sees
the new token. The grants of one assistant are matched one to one, in the order of their creation.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.progress.uses import TokenUse
from mcpbridge.grants.in_force import over_since
from mcpbridge.models import Grant, TokenRef


def old_grants(rotation: Rotation) -> list[Grant]:
    """Return all grants of the old token, the oldest first."""
    same_token = Grant.objects.filter(env=rotation.env, prefix=rotation.prefix, org_id=rotation.org_id)
    return list(same_token.order_by("created_at", "pk"))


def with_grants(uses: Iterable[TokenUse], grants: Iterable[Grant]) -> list[TokenUse]:
    """Return `uses` of a token with its `grants` in force, and without those of grants that are over.

    Each assistant with a grant in force holds the token, whether or not it has called. One whose grant is over cannot
    use it any more.
    """
    now, found = timezone.now(), list(grants)
    over: dict[str, datetime] = {}
    for grant in found:
        ended = over_since(grant, now) or grant.expires_at
        over[grant.connection] = max(ended, over.get(grant.connection, ended))
    kept = [use for use in uses if use.connection not in over or over[use.connection] > now or _is_later(use, over)]
    in_force = [grant for grant in found if over_since(grant, now) is None]
    return kept + [TokenUse(grant.connection, grant.client_name, grant.created_at) for grant in in_force]


def reconnections(rotation: Rotation, targets: Collection[str], grants: Iterable[Grant]) -> Mapping[str, str]:
    """Return the connection of the new token's grant by that of the old token's, which is among `targets`."""
    new_ref, old_ref, new = rotation.new_ref, rotation.old_ref, defaultdict(list)
    found = sorted((each for each in grants if each.org_id == rotation.org_id), key=lambda each: each.created_at)
    for grant in found:
        if TokenRef(grant.env, grant.prefix) == new_ref:
            new[_assistant(grant)].append(grant.connection)
    matched: dict[str, str] = {}
    for grant in found:
        is_target = TokenRef(grant.env, grant.prefix) == old_ref and grant.connection in targets
        if is_target and grant.connection not in matched and (waiting := new[_assistant(grant)]):
            matched[grant.connection] = waiting.pop(0)
    return matched


def _is_later(use: TokenUse, over: Mapping[str, datetime]) -> bool:
    return use.last_used_at > over[use.connection]


def _assistant(grant: Grant) -> tuple[str, bool, str]:
    """Return what stays the same when an assistant connects again; a client id that it registered does not."""
    return grant.client_name, bool(grant.client_host), grant.client_host or grant.redirect_host
