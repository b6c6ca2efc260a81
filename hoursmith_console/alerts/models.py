"""Alert rules, channels, collected alerts with their events, and deliveries.

An alert gathers the events of one rule until it is due; then it is closed, and each channel of the rule gets one
delivery in the same transaction. `sending` sends deliveries at least once.
"""

from django.db import models
from django.utils import timezone

from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField

NAME_LENGTH = 80
ACTOR_LENGTH = 500
ERROR_LENGTH = 300


class ChannelKind(models.TextChoices):
    """Where a channel sends to."""

    EMAIL = "email", "Email"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    DISCORD = "discord", "Discord"
    WEBHOOK = "webhook", "Webhook"


class Timing(models.TextChoices):
    """When an alert is sent."""

    AT_ONCE = "at_once", "At once"
    HOURLY = "hourly", "Every hour"
    DAILY = "daily", "Every day"


class DeliveryState(models.TextChoices):
    """State of a delivery."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class AlertChannel(models.Model):
    """A receiver of alerts. The address of a chat's webhook is all that it takes to post there, so it is a secret."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="alert_channels")
    name = MaskedCharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=8, choices=ChannelKind)
    recipients = MaskedJSONField(default=list, help_text="Email addresses.")
    encrypted_address = models.TextField(blank=True, help_text="The webhook's address, encrypted with SECRET_KEY.")
    host = MaskedCharField(max_length=255, blank=True, help_text="The host of that address, which pages show.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = MaskedCharField(max_length=ACTOR_LENGTH)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="alert_channel_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def target(self) -> str:
        """Return where it sends to, without anything secret."""
        return ", ".join(self.recipients) if self.kind == ChannelKind.EMAIL else f"https://{self.host}/••••"


class AlertRule(models.Model):
    """What a workspace wants to be alerted of, where and when.

    `cursor` is the last audit entry that was looked at; `since` is when the rule was last turned on. `memory` keeps
    what a kind must know between two looks.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="alert_rules")
    name = MaskedCharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=20, choices=AlertKind)
    parameters = MaskedJSONField(default=dict)
    channels = models.ManyToManyField(AlertChannel, related_name="rules")
    timing = models.CharField(max_length=8, choices=Timing, default=Timing.AT_ONCE)
    digest_hour = models.PositiveSmallIntegerField(default=8, help_text="Local hour of a daily digest.")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    zone = MaskedCharField(max_length=64, default="UTC", help_text="IANA name of the time zone.")
    includes_record = models.BooleanField(default=False, help_text="Name the record that was deleted.")
    is_on = models.BooleanField(default=True)
    cursor = models.PositiveBigIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now)
    memory = MaskedJSONField(default=dict)
    last_alert_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = MaskedCharField(max_length=ACTOR_LENGTH)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="alert_rule_name_once")]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """Events of one rule, sent together. While it is open, more are added."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    count = models.PositiveIntegerField(default=0, help_text="All events, also those without a row.")
    was_held = models.BooleanField(default=False, help_text="Quiet hours or a pause delayed it.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["rule"], condition=models.Q(closed_at=None), name="one_open_alert_a_rule")
        ]

    def __str__(self) -> str:
        return f"{self.rule} at {self.opened_at:%Y-%m-%d %H:%M:%S}"


class AlertEvent(models.Model):
    """One event that a rule found. `key` identifies it, so that no event counts twice for a rule."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="events")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events")
    key = MaskedCharField(max_length=200)
    at = models.DateTimeField(db_index=True)
    facts = MaskedJSONField(default=dict)

    class Meta:
        ordering = ["at", "id"]
        constraints = [models.UniqueConstraint(fields=["rule", "key"], name="alert_event_once")]

    def __str__(self) -> str:
        return self.key


class AlertDelivery(models.Model):
    """One message to one channel. Names are kept, so that it outlives its rule and channel."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="alert_deliveries")
    rule = models.ForeignKey(AlertRule, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    channel = models.ForeignKey(AlertChannel, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    alert = models.ForeignKey(Alert, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    rule_name = MaskedCharField(max_length=NAME_LENGTH)
    channel_name = MaskedCharField(max_length=NAME_LENGTH)
    summary = MaskedCharField(max_length=200)
    is_test = models.BooleanField(default=False)
    state = models.CharField(max_length=9, choices=DeliveryState, default=DeliveryState.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    reserved_until = models.DateTimeField(null=True, blank=True, help_text="A process is sending it until then.")
    ended_at = models.DateTimeField(null=True, blank=True)
    last_error = MaskedCharField(max_length=ERROR_LENGTH, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["alert", "channel"], name="alert_delivered_once_a_channel")]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="alert_delivery_workspace"),
            models.Index(
                fields=["next_attempt_at"], name="alert_delivery_waiting", condition=models.Q(state="waiting")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name} to {self.channel_name}"


class AlertPause(models.Model):
    """The alerts of a workspace are paused: events are collected and nothing is sent."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="alert_pause")
    paused_at = models.DateTimeField(default=timezone.now)
    paused_by = MaskedCharField(max_length=ACTOR_LENGTH)

    def __str__(self) -> str:
        return f"{self.workspace} since {self.paused_at:%Y-%m-%d %H:%M:%S}"
