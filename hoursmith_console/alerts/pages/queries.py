"""What the pages of alerts show of the viewer's workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, OuterRef, QuerySet, Subquery

from hoursmith_console.alerts.kinds import KINDS
from hoursmith_console.alerts.messages.content import list_path
from hoursmith_console.alerts.models import Alert, AlertChannel, AlertDelivery, AlertRule, DeliveryState, Timing
from hoursmith_console.alerts.schedule import hour_text
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.tools import TOOLS

Row = TypeVar("Row", bound=Model)
_STATES = {
    DeliveryState.SENT: "succeeded",
    DeliveryState.FAILED: "failed",
    DeliveryState.WAITING: "under_way",
    DeliveryState.CANCELLED: "refused",
}


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule in the list. `held` are the events of its open alert."""

    rule: AlertRule
    channels: Sequence[AlertChannel]
    held: int
    last_state: str

    @property
    def explanation(self) -> str:
        """What the kind of the rule is about."""
        return KINDS[self.rule.kind].explanation

    @property
    def summary(self) -> str:
        """What narrows the rule, or else what its kind is about."""
        return "; ".join(self.narrowed) or self.explanation

    @property
    def channel_names(self) -> str:
        """The names of its channels."""
        return ", ".join(channel.name for channel in self.channels)

    @property
    def narrowed(self) -> list[str]:
        """The parameters of the rule in words."""
        return parameters_in_words(self.rule.parameters)

    @property
    def timing(self) -> str:
        """When the rule sends, in words."""
        rule = self.rule
        if rule.timing == Timing.DAILY:
            return f"Every day at {hour_text(rule.digest_hour)} ({rule.zone})"
        return str(rule.get_timing_display())

    @property
    def quiet(self) -> str:
        """Its quiet hours, empty for none."""
        rule = self.rule
        if rule.quiet_from is None or rule.quiet_until is None:
            return ""
        return f"{rule.quiet_from:%H:%M} to {rule.quiet_until:%H:%M} {rule.zone}"

    @property
    def list_path(self) -> str:
        """The page that lists what the rule is about."""
        return list_path(self.rule)


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery with its state as a mark."""

    delivery: AlertDelivery

    @property
    def state(self) -> str:
        """The name of the mark."""
        return _STATES[DeliveryState(self.delivery.state)]

    @property
    def label(self) -> str:
        """The state in words; a waiting delivery that failed before is being retried."""
        is_retried = self.delivery.state == DeliveryState.WAITING and self.delivery.last_error
        return "Retrying" if is_retried else str(self.delivery.get_state_display())


def visible_alerts(viewer: Viewer, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return those of `rows`, of a model with a workspace, that the viewer sees: reviewers see their workspace's."""
    return rows.filter(workspace_id=viewer.member.workspace_id) if viewer.member.sees_workspace else rows.none()


def rule_rows(viewer: Viewer, key: int | None = None) -> list[RuleRow]:
    """Return the workspace's rules, or the one with the primary key `key`, in a constant number of queries."""
    last = AlertDelivery.objects.filter(rule=OuterRef("pk"), is_test=False).order_by("-pk").values("state")[:1]
    rules = visible_alerts(viewer, AlertRule.objects.all()) if key is None else _one(viewer, key)
    rules = rules.annotate(last_state=Subquery(last)).prefetch_related("channels").select_related("workspace")
    found = list(rules)
    counts = Alert.objects.filter(rule__in=found, closed_at=None).values_list("rule_id", "count")
    held: Mapping[int, int] = dict(counts)
    return [RuleRow(each, list(each.channels.all()), held.get(each.pk, 0), each.last_state or "") for each in found]


def _one(viewer: Viewer, key: int) -> QuerySet[AlertRule]:
    return visible_alerts(viewer, AlertRule.objects.filter(pk=key))


def delivery_rows(
    viewer: Viewer, limit: int, *, before: int | None = None, rule: int | None = None, failed: bool = False
) -> list[DeliveryRow]:
    """Return deliveries, the newest first: those with a primary key below `before`, of one rule, only failed ones."""
    rows = visible_alerts(viewer, AlertDelivery.objects.all())
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if rule is not None:
        rows = rows.filter(rule=rule)
    if failed:
        rows = rows.filter(state=DeliveryState.FAILED)
    return [DeliveryRow(each) for each in rows.order_by("-pk")[:limit]]


def parameters_in_words(parameters: Mapping[str, object]) -> list[str]:
    """Return what narrows a rule, in words."""
    words = []
    if limit := parameters.get("limit"):
        each = "for each token" if parameters.get("counted") == "token" else "in the workspace"
        words.append(f"more than {limit} an hour, {each}")
    for name, label in (("roles", "roles"), ("tools", "tools"), ("tokens", "tokens")):
        values = parameters.get(name)
        if isinstance(values, list) and values:
            words.append(f"{label}: {', '.join(_shown(name, str(value)) for value in values)}")
    return words


def _shown(name: str, value: str) -> str:
    if name == "tools" and value in TOOLS:
        return TOOLS[value].title
    return f"hsk_{value}" if name == "tokens" else value.capitalize()
