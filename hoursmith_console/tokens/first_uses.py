"""What was seen for the first time: assistants, and networks of tokens."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, QuerySet

from mcpbridge.models import ObservedClient, ObservedToken, TokenNetwork

# A token's first days show where it is used from.
LEARNING = timedelta(days=7)


def new_assistant_names(
    clients: QuerySet[ObservedClient], since: datetime
) -> "QuerySet[ObservedClient, Mapping[str, Any]]":
    """Return the names of assistants that were first seen since `since`, the newest first: `name` and `first`."""
    names = clients.exclude(name="").order_by().values("name").annotate(first=Min("first_seen_at"))
    return names.filter(first__gte=since).order_by("-first", "name")


def new_networks(tokens: QuerySet[ObservedToken], since: datetime, *, older_than: datetime) -> QuerySet[TokenNetwork]:
    """Return the networks from which `tokens` first used before `older_than` were used since `since`."""
    return TokenNetwork.objects.filter(
        first_at__gte=since, token__first_used_at__lt=older_than, token__in=tokens.order_by()
    )
