"""The rules that the empty page offers: what most workspaces want to notice, without noise."""

from typing import Any

from django.db import router, transaction

from hoursmith_console.alerts.kinds import KINDS, AlertKind
from hoursmith_console.alerts.models import AlertChannel, AlertRule, ChannelKind, Timing
from hoursmith_console.alerts.services import RuleSettings, create_channel, create_rule
from hoursmith_console.workspaces.models import Member

# Kind, when, and parameters.
RECOMMENDED: tuple[tuple[AlertKind, Timing, dict[str, Any]], ...] = (
    (AlertKind.RATE, Timing.AT_ONCE, {"limit": 20, "counted": "workspace"}),
    (AlertKind.FIRST_DELETION, Timing.AT_ONCE, {}),
    (AlertKind.UNKNOWN, Timing.AT_ONCE, {}),
    (AlertKind.LEAK, Timing.AT_ONCE, {}),
    (AlertKind.REUSE, Timing.AT_ONCE, {}),
    (AlertKind.INTEGRITY, Timing.AT_ONCE, {}),
    (AlertKind.DESTINATION, Timing.AT_ONCE, {}),
    (AlertKind.DELETION, Timing.DAILY, {}),
    (AlertKind.NEW_ASSISTANT, Timing.DAILY, {}),
    (AlertKind.AUTHORIZATION, Timing.DAILY, {}),
    (AlertKind.ATTEMPT, Timing.DAILY, {}),
)


def add_recommended(*, member: Member) -> int:
    """Create, all or none, the recommended rules for the workspace of `member`, and return how many.

    They use the first channel, or a new one with the member's email address. Kinds for which there is a rule are left
    out. Raises AlertError and AuditUnavailableError.
    """
    with transaction.atomic(using=router.db_for_write(AlertRule)):
        return _add(member)


def _add(member: Member) -> int:
    workspace, actor = member.workspace, member.display_identity
    present = set(AlertRule.objects.filter(workspace=workspace).values_list("kind", flat=True))
    wanted = [each for each in RECOMMENDED if each[0] not in present]
    channel = AlertChannel.objects.filter(workspace=workspace).order_by("pk").first()
    if wanted and channel is None:
        channel = create_channel(
            workspace=workspace, name="Email", kind=ChannelKind.EMAIL, recipients=[member.email], actor=actor
        )
    for kind, timing, parameters in wanted:
        name = f"{kind.label}, daily" if timing == Timing.DAILY else str(kind.label)
        settings = RuleSettings(name=name, channels=[channel] if channel else [], timing=timing, parameters=parameters)
        create_rule(workspace=workspace, kind=kind, settings=settings, actor=actor)
    return len(wanted)


def recommended_titles() -> list[str]:
    """Return what the recommended rules are about, for the page that offers them."""
    return [f"{kind.label}: {KINDS[kind].explanation}" for kind, _, _ in RECOMMENDED]
