"""What needs attention in the audit log, the activity and Hoursmith itself: providers of alerts."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.audit.calls import DestructiveCall, State
from hoursmith_console.audit.verification.jobs import verification_standing
from hoursmith_console.core.alerts import Card, Provider, Tone
from hoursmith_console.core.templatetags.console import ago, exact, thousands
from hoursmith_console.overview import queries
from hoursmith_console.rotations.late_use import LastLateUse, last_late_uses
from hoursmith_console.tokens.labels import key_of
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.destinations.status import failing_destinations as failing_now
from mcpbridge.models import ObservedToken

# Of one sort; a last card then leads to the rest.
MOST_SHOWN = 5
# Hoursmith looks at the token before the plan, so this answer tells of the workspace's plan.
_NO_API = 402


def broken_record(viewer: Viewer) -> Iterator[Card]:
    """The audit record does not verify."""
    if not viewer.member.sees_workspace:
        return
    standing = verification_standing(org_id=viewer.org_id)
    if standing.is_broken and standing.last is not None:
        yield Card(
            tone=Tone.LOST,
            sign="✕",
            what=format_html(
                "<strong>{}</strong> at row {}",
                standing.last.what_is_wrong,
                thousands(standing.last.bad_sequence),
            ),
            second=format_html("found {}", ago(standing.last.ended_at)),
            about="the audit record",
            address=reverse("console:audit:list"),
        )


def unsettled_calls(viewer: Viewer) -> Iterator[Card]:
    """Destructive calls about which only a look into Hoursmith can say what happened."""
    found = queries.unsettled_calls(viewer, MOST_SHOWN + 1)
    for call in found[:MOST_SHOWN]:
        yield _unsettled(viewer, call)
    if len(found) > MOST_SHOWN:
        yield Card(
            tone=Tone.UNKNOWN,
            sign="?",
            what=SafeString("More calls with an unknown outcome"),
            about="them",
            address=f"{reverse('console:audit:list')}?outcome=unknown",
        )


def _unsettled(viewer: Viewer, call: DestructiveCall) -> Card:
    intent, page = call.intent, reverse("console:audit:detail", args=[call.intent.call_id])
    can_resolve = viewer.member.administers and call.is_resolvable
    label = format_html(' of <strong class="name">{}</strong>', intent.target_label) if intent.target_label else ""
    return Card(
        tone=Tone.UNKNOWN,
        sign="?",
        what=format_html(
            "<strong>{}</strong>{} by {}: {}",
            intent.tool,
            label,
            intent.client_name or "an assistant without a name",
            "failed, but may have been carried out" if call.state is State.FAILED else "outcome unknown",
        ),
        second=ago(intent.at),
        action="Resolve" if can_resolve else "Open",
        about=f"{intent.tool} {intent.target_label}".strip(),
        address=f"{page}#resolve" if can_resolve else page,
    )


def lost_activity(viewer: Viewer) -> Iterator[Card]:
    """Calls that left no activity row."""
    lost = queries.lost_activity(viewer)
    if calls := lost["calls"]:
        yield Card(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                "<strong>{} call{} left no activity row</strong>, because the database was unavailable or "
                "a process was killed. Audit rows are not affected: without one nothing is deleted.",
                thousands(calls),
                "" if calls == 1 else "s",
            ),
            second=format_html("the last of them {}", ago(lost["until"])),
            about="activity",
            address=reverse("console:activity:list"),
        )


def unreachable_hoursmith(viewer: Viewer) -> Iterator[Card]:
    """Hoursmith does not answer the workspace's assistants, until a call succeeds."""
    if not viewer.member.sees_workspace or (found := queries.outage(viewer)) is None:
        return
    calls = found["calls"]
    yield Card(
        tone=Tone.LOST,
        sign="!",
        what=format_html(
            "<strong>Hoursmith unreachable</strong> since {}: {} call{} got no answer, and none has succeeded since",
            exact(found["since"]),
            thousands(calls),
            "" if calls == 1 else "s",
        ),
        second=format_html("last call {}", ago(found["until"])),
        about="the calls that failed",
        address=f"{reverse('console:activity:list')}?result=failed",
    )


def lapsed_plan(viewer: Viewer) -> Iterator[Card]:
    """The workspace's plan has no API any more: the last call was answered so, whosever it was."""
    last = queries.latest_calls(viewer, 1)
    if last and last[0].status == _NO_API:
        yield Card(
            tone=Tone.REFUSED,
            sign="⊘",
            what=format_html(
                "<strong>{}’s plan lets no assistant in</strong>: API access needs Studio or Agency. Whoever pays for"
                " the workspace changes that at Hoursmith.",
                viewer.member.workspace.name,
            ),
            second=format_html("answered 402 {}", ago(last[0].at)),
            about="the calls that were refused",
            address=f"{reverse('console:activity:list')}?result=refused",
        )


def refused_tokens(viewer: Viewer) -> Iterator[Card]:
    """Revoked or blocked tokens that are still in use."""
    refused = queries.refused_tokens(viewer, MOST_SHOWN + 1)
    tokens = visible_tokens(viewer).filter(prefix__in=[entry["prefix"] for entry in refused[:MOST_SHOWN]])
    known = {key_of(token): token for token in tokens} if refused else {}
    retired = last_late_uses(viewer, known)
    for entry in refused[:MOST_SHOWN]:
        token = known[entry["env"], entry["prefix"]]
        if knocker := retired.get(key_of(token)):
            yield _still_knocking(token, knocker, entry)
            continue
        yield Card(
            tone=Tone.REFUSED,
            sign="⊘",
            what=format_html(
                '<strong class="name">{}</strong> was rejected {} time{}: an assistant still calls with it',
                token.token_name or "Unnamed token",
                thousands(entry["attempts"]),
                "" if entry["attempts"] == 1 else "s",
            ),
            second=format_html("<code>{}</code> · last attempt {}", token.masked_token, ago(entry["last_at"])),
            about=token.token_name,
            address=f"{reverse('console:tokens:detail', args=[token.pk])}#refused",
        )
    if len(refused) > MOST_SHOWN:
        yield Card(
            tone=Tone.REFUSED,
            sign="⊘",
            what=SafeString("More tokens were turned away"),
            about="tokens",
            address=reverse("console:tokens:list"),
        )


def _still_knocking(token: ObservedToken, knocker: LastLateUse, entry: Mapping[str, Any]) -> Card:
    """An assistant was forgotten when its token was replaced; nothing is wrong with the new one."""
    return Card(
        tone=Tone.REFUSED,
        sign="↻",
        what=format_html(
            '<strong class="name">{}</strong> still has the old token of <span class="name">{}</span>',
            knocker.label,
            token.token_name or "an unnamed token",
        ),
        second=format_html("<code>{}</code> · last try {}", token.masked_token, ago(entry["last_at"])),
        about=token.token_name,
        address=reverse("console:rotations:detail", args=[knocker.rotation.pk]),
    )


def failing_destinations(viewer: Viewer) -> Iterator[Card]:
    """Receivers of the record that do not take it."""
    if not viewer.member.sees_workspace:
        return
    for standing in failing_now(viewer.org_id):
        destination = standing.destination
        yield Card(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                '<strong class="name">Log destination {} is failing</strong>: {}', destination.name, destination.fault
            ),
            second=format_html(
                "since {} · {} row{} behind",
                ago(destination.failing_since),
                thousands(standing.behind),
                "" if standing.behind == 1 else "s",
            ),
            about=destination.name,
            address=reverse("console:audit:destination", args=[destination.pk]),
        )


# By their urgency; other apps register theirs between.
PROVIDERS: dict[int, Provider] = {
    10: broken_record,
    20: unreachable_hoursmith,
    30: lapsed_plan,
    70: unsettled_calls,
    80: lost_activity,
    90: failing_destinations,
    100: refused_tokens,
}
