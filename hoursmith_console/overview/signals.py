"""Unusual activity: first occurrences and bursts, each with the rule that detects it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db.models import Avg, Exists, F, Max, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.audit.numbers import deletions, deletions_address
from hoursmith_console.core.templatetags.counts import count
from hoursmith_console.tokens.filters import token_key
from hoursmith_console.tokens.first_uses import new_assistant_names, new_networks
from hoursmith_console.tokens.numbers import within
from hoursmith_console.tokens.querysets import visible_clients, visible_rows, visible_tokens
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.activity.usage import hour_of
from mcpbridge.models import CallHour, CallKind, ObservedToken, TokenTool
from mcpbridge.tools import TOOLS

NEW_FOR = timedelta(days=7)
BURST_CALLS, BURST_WITHIN, BURST_TIMES_USUAL = 10, timedelta(minutes=10), 4
_MOST_SHOWN = 4
_MOST_BURSTS_CHECKED = 3
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DESTRUCTIVE = [tool.name for tool in TOOLS.values() if tool.kind is CallKind.DESTRUCTIVE]


@dataclass(frozen=True, slots=True)
class Signal:
    """One unusual event. Build `what` with `format_html`; `rule` is the detection rule as a sentence."""

    what: SafeString
    at: datetime
    rule: str
    address: str
    about: str


def signals(viewer: Viewer) -> list[Signal]:
    """Return the viewer's signals: the latest few of each type, the latest first."""
    found = [signal for detect in _DETECTORS for signal in islice(detect(viewer), _MOST_SHOWN)]
    return sorted(found, key=lambda signal: signal.at, reverse=True)


def new_assistants(viewer: Viewer) -> Iterator[Signal]:
    """Detect assistants with a new name."""
    names = new_assistant_names(visible_clients(viewer), timezone.now() - NEW_FOR)
    for row in names[:_MOST_SHOWN]:
        yield Signal(
            format_html("New assistant: <strong class='name'>{}</strong>", row["name"]),
            row["first"],
            "First use of this assistant in the last 7 days.",
            reverse("console:activity:list", query={"assistant": row["name"]}),
            row["name"],
        )


def new_networks_of_tokens(viewer: Viewer) -> Iterator[Signal]:
    """Detect the use of older tokens from new networks."""
    since = timezone.now() - NEW_FOR
    rows = new_networks(visible_tokens(viewer), since, older_than=since)
    for row in rows.select_related("token").order_by("-first_at", "-pk")[:_MOST_SHOWN]:
        yield Signal(
            format_html("New network for {}: <code>{}</code>", _named(row.token), row.network),
            row.first_at,
            "First use of this token, which is older than a week, from this network (/24, or /48 for IPv6) in the last "
            "7 days.",
            reverse("console:tokens:detail", args=[row.token_id]),
            str(row.token),
        )


def first_deletions(viewer: Viewer) -> Iterator[Signal]:
    """Detect tokens' first calls of a destructive tool."""
    since = timezone.now() - NEW_FOR
    # Only tools with a call that succeeded.
    tools = TokenTool.objects.filter(tool__in=_DESTRUCTIVE, calls__gt=F("refused"))
    earlier = tools.filter(token=OuterRef("token"), first_at__lt=OuterRef("first_at"))
    rows = tools.filter(~Exists(earlier), first_at__gte=since, token__in=visible_tokens(viewer).order_by())
    for row in rows.select_related("token").order_by("-first_at", "-pk")[:_MOST_SHOWN]:
        yield Signal(
            format_html("First deletion by {} (<code>{}</code>)", _named(row.token), row.tool),
            row.first_at,
            "First call of a tool that deletes or archives with this token, in the last 7 days.",
            reverse("console:audit:list", query={"token": token_key(row.token)}),
            str(row.token),
        )


def bursts(viewer: Viewer) -> Iterator[Signal]:
    """Detect tokens that deleted many more records at once than usual."""
    # Ten calls within ten minutes fall in at most two hours, so one of these hours has five.
    rows = visible_rows(viewer, CallHour.objects.filter(calls_destructive__gt=0).exclude(prefix=""))
    busy = rows.filter(hour__gte=hour_of(timezone.now() - NEW_FOR), calls_destructive__gte=BURST_CALLS // 2)
    latest = busy.order_by().values_list("env", "prefix").annotate(latest=Max("hour")).order_by("-latest", "prefix")
    for env, prefix, hour in latest[:_MOST_BURSTS_CHECKED]:
        token = visible_tokens(viewer).filter(env=env, prefix=prefix).first()
        if token and (burst := _burst(viewer, token, hour)):
            deleted, start, length = burst
            address = deletions_address(token=token_key(token), **within(start, length))
            yield Signal(
                format_html(
                    "{} deleted {} within {} minutes",
                    _named(token),
                    count(deleted, address, "record"),
                    _minutes(length),
                ),
                start + length,
                f"At least {BURST_CALLS} deletions with one token within {_minutes(BURST_WITHIN)} minutes, and "
                f"{BURST_TIMES_USUAL} times its hourly average, in the last 7 days.",
                address,
                str(token),
            )


def _burst(viewer: Viewer, token: ObservedToken, hour: int) -> tuple[int, datetime, timedelta] | None:
    """Return the deletions of the whole minutes around the densest ten minutes, when these began and their length.

    None if there are not unusually many around `hour`.
    """
    begin = _EPOCH + timedelta(hours=hour - 1)
    rows = deletions(viewer, begin).filter(env=token.env, prefix=token.prefix)
    rows = rows.filter(recorded_at__lt=begin + timedelta(hours=3)).order_by("recorded_at")
    instants = list(rows.values_list("recorded_at", flat=True)[:5_000])
    calls, first, last = densest(instants)
    same = CallHour.objects.filter(org_id=viewer.org_id, env=token.env, prefix=token.prefix, calls_destructive__gt=0)
    usual = same.exclude(hour__range=(hour - 1, hour + 1)).aggregate(mean=Avg("calls_destructive"))["mean"] or 0
    if calls < max(BURST_CALLS, BURST_TIMES_USUAL * usual) or first is None or last is None:
        return None
    # A list can be narrowed to whole minutes.
    start, end = (instant.replace(second=0, microsecond=0) for instant in (first, last + _MINUTE))
    return sum(start <= instant < end for instant in instants), start, end - start


def densest(instants: Sequence[datetime]) -> tuple[int, datetime | None, datetime | None]:
    """Return the most of `instants` (ascending) within ten minutes, and the first and last of these."""
    most, begin, end, first = 0, None, None, 0
    for last, instant in enumerate(instants):
        while instant - instants[first] > BURST_WITHIN:
            first += 1
        if last - first + 1 > most:
            most, begin, end = last - first + 1, instants[first], instant
    return most, begin, end


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _named(token: ObservedToken) -> SafeString:
    return format_html('<strong class="name">{}</strong>', token.token_name or token.masked_token)


_DETECTORS: tuple[Callable[[Viewer], Iterator[Signal]], ...] = (
    new_assistants,
    new_networks_of_tokens,
    first_deletions,
    bursts,
)
