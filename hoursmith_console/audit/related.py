"""Lists that belong to one call: of the same token at that time, and of the same assistant."""

from django.urls import reverse
from django.utils import timezone

from hoursmith_console.core.times.spans import day_of, night_of
from hoursmith_console.tokens.filters import token_key
from hoursmith_console.tokens.numbers import within
from mcpbridge.models import AuditEvent, ToolCall


def related_lists(row: AuditEvent | ToolCall, *, area: str) -> list[tuple[str, str]]:
    """Return labels and addresses of lists in `area` that show what else happened; nights are the reader's."""
    zone = timezone.get_current_timezone()
    night = night_of(row.at, zone)
    since, until = night or day_of(row.at, zone)
    list_address, key = f"console:{area}:list", token_key(row)
    found = [
        (
            f"Same token, that {'night' if night else 'day'}",
            reverse(list_address, query={"token": key, **within(since, until - since)}),
        ),
        ("Same token", reverse(list_address, query={"token": key})),
    ]
    if row.client_name:
        found.append(("Same assistant", reverse(list_address, query={"assistant": row.client_name})))
    return found
