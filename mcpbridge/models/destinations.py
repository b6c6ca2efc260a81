"""A place outside to which a workspace's record goes, and how far it has come there."""

from django.db import models
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField

NAME_LENGTH = 80
ADDRESS_LENGTH = 500


class SinkKind(models.TextChoices):
    """How rows travel."""

    WEBHOOK = "webhook", "Webhook"
    SYSLOG = "syslog", "Syslog"
    FILE = "file", "File"


class SinkFormat(models.TextChoices):
    """What a row looks like there."""

    JSON = "json", "JSON"
    CEF = "cef", "CEF"


FORMATS = {
    SinkKind.WEBHOOK: (SinkFormat.JSON,),
    SinkKind.SYSLOG: (SinkFormat.JSON, SinkFormat.CEF),
    SinkKind.FILE: (SinkFormat.JSON,),
}


class SinkQuerySet(models.QuerySet["Sink"]):
    """Sinks by what is to be done about them."""

    def live(self) -> "SinkQuerySet":
        """Those that were not removed; a paused one still waits for its rows."""
        return self.filter(deleted_at=None)

    def failing(self) -> "SinkQuerySet":
        """Those whose last attempt failed, and that go on trying."""
        return self.live().filter(is_paused=False).exclude(failing_since=None)


class Sink(models.Model):
    """One receiver of one workspace's record.

    `confirmed` only grows while rows are delivered: the receiver has said that it has every row up to there. What
    stands in `offered` was sent at least once and is sent again with the same bounds, so that a receiver can tell a
    repetition by its id.
    """

    org_id = MaskedCharField("workspace", max_length=64)
    name = MaskedCharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=8, choices=SinkKind)
    format = models.CharField(max_length=8, choices=SinkFormat)
    address = MaskedCharField(max_length=ADDRESS_LENGTH, help_text="An https:// or tls:// address, or a file's name.")
    sealed_secret = models.TextField(blank=True, help_text="What signs a webhook's bodies, sealed under SECRET_KEY.")
    is_paused = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = MaskedCharField(max_length=200, blank=True)
    deleted_at = models.DateTimeField(null=True)
    deleted_by = MaskedCharField(max_length=200, blank=True)

    confirmed = models.PositiveBigIntegerField(default=0, help_text="The last row that the receiver confirmed.")
    confirmed_checkpoint = models.PositiveBigIntegerField(default=0, help_text="The same of checkpoints, by their key.")
    confirmed_at = models.DateTimeField(null=True)
    offered = models.PositiveBigIntegerField(default=0, help_text="The last row of the batch under way; 0 for none.")
    offered_checkpoint = models.PositiveBigIntegerField(default=0)
    restarts = models.PositiveIntegerField(default=0, help_text="How often somebody moved it to another row.")
    size_limit = models.PositiveIntegerField(
        default=0, help_text="So many bytes are sent at once, since the receiver refused more; 0 where it never did."
    )
    rows_sent = models.PositiveBigIntegerField(default=0, help_text="Rows that were confirmed, repetitions too.")

    attempts = models.PositiveIntegerField(default=0, help_text="Failed ones since the last success.")
    failures = models.PositiveBigIntegerField(default=0, help_text="All failed ones.")
    failing_since = models.DateTimeField(null=True)
    fault = MaskedCharField(max_length=300, blank=True, help_text="Why the last attempt failed.")
    next_try_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=36, blank=True, help_text="The process that delivers.")
    held_until = models.DateTimeField(null=True)

    objects = SinkQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "name"], condition=models.Q(deleted_at=None), name="one_live_sink_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        """Whether its last attempt failed, and it goes on trying."""
        return self.failing_since is not None and not self.is_paused

    @property
    def is_signed(self) -> bool:
        """Whether what it sends is signed with a secret that the receiver has too."""
        return self.kind == SinkKind.WEBHOOK
