"""Guesses which token that came up lately is the successor; a person confirms it."""

from collections.abc import Iterable

from django.db.models import Q

from hoursmith_console.rotation.models import Rotation
from hoursmith_console.rotation.progress.stepping import may_succeed
from mcpbridge.models import SeenToken

MOST_OFFERED = 3


def candidates_of(rotation: Rotation) -> list[SeenToken]:
    """Tokens that came up since the rotation was asked for where its assistants are, the newest first.

    On one of its connections; or with the name of one of its assistants and the role of its owner, since names
    alone are anybody's.
    """
    places = list(rotation.places.all())
    connections = [place.connection for place in places if place.connection]
    names = [place.client_name for place in places if place.client_name]
    here = Q(clients__connection__in=connections) | Q(clients__name__in=names, role=rotation.role)
    found = SeenToken.objects.filter(here, org_id=rotation.workspace.org_id, first_used_at__gte=rotation.asked_at)
    newest = found.exclude(env=rotation.env, prefix=rotation.prefix).order_by("-first_used_at", "-pk").distinct()
    return list(_fitting(rotation, newest[: 5 * MOST_OFFERED]))[:MOST_OFFERED]


def _fitting(rotation: Rotation, tokens: Iterable[SeenToken]) -> Iterable[SeenToken]:
    return (token for token in tokens if may_succeed(rotation, token.env, token.prefix))
