"""Attention items about the audit log, activity, rejected tokens and the Hoursmith API."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.audit.calls import DestructiveCall, State
from hoursmith_console.audit.verification.jobs import verification_status
from hoursmith_console.core.attention import AttentionItem, Provider, Tone
from hoursmith_console.core.templatetags.console import thousands
from hoursmith_console.core.times.rendering import ago, exact
from hoursmith_console.overview import queries
from hoursmith_console.rotations.progress.late_use import LastLateUse, last_late_uses
from hoursmith_console.tokens.labels import linked_token, ref_of
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.sync_age import is_sync_overdue
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.destinations.status import failing_destinations as failing_now
from mcpbridge.models import ObservedToken, TokenRef

# Per provider; a last item then links to the rest.
MOST_SHOWN = 5


def failed_verification(viewer: Viewer) -> Iterator[AttentionItem]:
    """The last verification of the audit log, or its comparison with the anchor, found tampering."""
    if not viewer.member.sees_workspace:
        return
    verification = verification_status(org_id=viewer.org_id)
    if verification.anchor.is_stopped:
        yield AttentionItem(
            tone=Tone.LOST,
            sign="✕",
            what=format_html("<strong>{}</strong>", verification.anchor.what_is_wrong),
            second=SafeString("Destructive tools are refused."),
            about="the audit log",
            address=reverse("console:audit:list"),
        )
    if verification.is_broken and verification.last is not None:
        yield AttentionItem(
            tone=Tone.LOST,
            sign="✕",
            what=format_html(
                "<strong>{}</strong> at entry {}",
                verification.last.what_is_wrong,
                thousands(verification.last.bad_sequence),
            ),
            second=format_html("found {}", ago(verification.last.ended_at)),
            about="the audit log",
            address=reverse("console:audit:list"),
        )


def unresolved_calls(viewer: Viewer) -> Iterator[AttentionItem]:
    """Destructive calls that may have been carried out and are not resolved."""
    found = queries.unresolved_calls(viewer, MOST_SHOWN + 1)
    for call in found[:MOST_SHOWN]:
        yield _unresolved_call(viewer, call)
    if len(found) > MOST_SHOWN:
        yield AttentionItem(
            tone=Tone.UNKNOWN,
            sign="?",
            what=SafeString("More calls with an unknown outcome"),
            about="them",
            address=f"{reverse('console:audit:list')}?outcome=unknown",
        )


def _unresolved_call(viewer: Viewer, call: DestructiveCall) -> AttentionItem:
    intent, page = call.intent, reverse("console:audit:detail", args=[call.intent.call_id])
    can_resolve = viewer.member.administers and call.is_resolvable
    label = format_html(' of <strong class="name">{}</strong>', intent.target_label) if intent.target_label else ""
    return AttentionItem(
        tone=Tone.UNKNOWN,
        sign="?",
        what=format_html(
            "<strong>{}</strong>{} by {}: {}",
            intent.tool,
            label,
            intent.client_name or "an unnamed assistant",
            "failed, but may have succeeded at Hoursmith" if call.state is State.FAILED else "outcome unknown",
        ),
        second=ago(intent.at),
        action="Resolve" if can_resolve else "Open",
        about=f"{intent.tool} {intent.target_label}".strip(),
        address=f"{page}#resolve" if can_resolve else page,
    )


def lost_activity(viewer: Viewer) -> Iterator[AttentionItem]:
    """Calls missing from the activity log."""
    lost = queries.lost_activity(viewer)
    if calls := lost["calls"]:
        yield AttentionItem(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                "<strong>{} call{} not logged</strong> because the database was unavailable or "
                "a process was killed. The audit log is not affected: nothing is deleted without an entry.",
                thousands(calls),
                " was" if calls == 1 else "s were",
            ),
            second=format_html("last one {}", ago(lost["until"])),
            about="activity",
            address=reverse("console:activity:list"),
        )


def unreachable_hoursmith(viewer: Viewer) -> Iterator[AttentionItem]:
    """Hoursmith has not answered any call since the last success."""
    if not viewer.member.sees_workspace or (found := queries.outage(viewer)) is None:
        return
    calls = found["calls"]
    yield AttentionItem(
        tone=Tone.LOST,
        sign="!",
        what=format_html(
            "<strong>Hoursmith unreachable</strong> since {}: {} call{} unanswered, none succeeded since",
            exact(found["since"]),
            thousands(calls),
            "" if calls == 1 else "s",
        ),
        second=format_html("last call {}", ago(found["until"])),
        about="the failed calls",
        address=f"{reverse('console:activity:list')}?result=failed",
    )


def overdue_members_sync(viewer: Viewer) -> Iterator[AttentionItem]:
    """The members were not compared with Hoursmith in time."""
    if viewer.member.sees_workspace and is_sync_overdue(viewer.member.workspace):
        synced_at = viewer.member.workspace.members_synced_at
        yield AttentionItem(
            tone=Tone.UNKNOWN,
            sign="!",
            what=SafeString("<strong>Members not compared with Hoursmith</strong>: some may have left"),
            second=format_html("last compared {}", ago(synced_at)) if synced_at else "never compared",
            about="the members",
            address=reverse("console:members:list"),
        )


def refused_tokens(viewer: Viewer) -> Iterator[AttentionItem]:
    """Revoked or blocked tokens that clients still send."""
    refused = queries.refused_tokens(viewer, MOST_SHOWN + 1)
    tokens = visible_tokens(viewer).filter(prefix__in=[entry["prefix"] for entry in refused[:MOST_SHOWN]])
    known = {ref_of(token): token for token in tokens} if refused else {}
    retired = last_late_uses(viewer, known)
    for entry in refused[:MOST_SHOWN]:
        token = known[TokenRef(entry["env"], entry["prefix"])]
        if late_use := retired.get(ref_of(token)):
            yield _late_use(token, late_use, entry)
            continue
        yield AttentionItem(
            tone=Tone.REFUSED,
            sign="⊘",
            what=format_html(
                '<strong class="name">{}</strong> {} rejected request{}: an assistant may still use a '
                "revoked or blocked token.",
                token.token_name or "Unnamed token",
                thousands(entry["attempts"]),
                "" if entry["attempts"] == 1 else "s",
            ),
            second=format_html("{} · last attempt {}", linked_token(token), ago(entry["last_at"])),
            about=token.token_name,
            address=f"{reverse('console:tokens:detail', args=[token.pk])}#refused",
        )
    if len(refused) > MOST_SHOWN:
        yield AttentionItem(
            tone=Tone.REFUSED,
            sign="⊘",
            what=SafeString("More tokens with rejected requests"),
            about="tokens",
            address=reverse("console:tokens:list"),
        )


def _late_use(token: ObservedToken, late_use: LastLateUse, entry: Mapping[str, Any]) -> AttentionItem:
    """An assistant still uses a token that was rotated."""
    return AttentionItem(
        tone=Tone.REFUSED,
        sign="↻",
        what=format_html(
            '<strong class="name">{}</strong> still uses the old token of <span class="name">{}</span>',
            late_use.label,
            token.token_name or "an unnamed token",
        ),
        second=format_html("{} · last attempt {}", linked_token(token), ago(entry["last_at"])),
        about=token.token_name,
        address=reverse("console:rotations:detail", args=[late_use.rotation.pk]),
    )


def failing_destinations(viewer: Viewer) -> Iterator[AttentionItem]:
    """Log destinations that are failing."""
    if not viewer.member.sees_workspace:
        return
    for status in failing_now(viewer.org_id):
        destination = status.destination
        yield AttentionItem(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                '<strong class="name">Log destination {} is failing</strong>: {}', destination.name, destination.fault
            ),
            second=format_html(
                "since {} · {} pending entr{}",
                ago(destination.failing_since),
                thousands(status.behind),
                "y" if status.behind == 1 else "ies",
            ),
            about=destination.name,
            address=reverse("console:audit:destination", args=[destination.pk]),
        )


# Urgency → provider; other apps register theirs in between.
PROVIDERS: dict[int, Provider] = {
    10: failed_verification,
    20: unreachable_hoursmith,
    70: unresolved_calls,
    80: lost_activity,
    90: failing_destinations,
    97: overdue_members_sync,
    100: refused_tokens,
}
