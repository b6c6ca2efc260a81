"""Log destinations: external receivers of a workspace's audit log, and their delivery state."""

from django.db import models
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField

NAME_LENGTH = 80
ADDRESS_LENGTH = 500


class DestinationKind(models.TextChoices):
    """The transport."""

    WEBHOOK = "webhook", "Webhook"
    SYSLOG = "syslog", "Syslog"
    FILE = "file", "File"


class DestinationFormat(models.TextChoices):
    """The format of a row."""

    JSON = "json", "JSON"
    CEF = "cef", "CEF"


FORMATS = {
    DestinationKind.WEBHOOK: (DestinationFormat.JSON,),
    DestinationKind.SYSLOG: (DestinationFormat.JSON, DestinationFormat.CEF),
    DestinationKind.FILE: (DestinationFormat.JSON,),
}


class LogDestinationQuerySet(models.QuerySet["LogDestination"]):
    """Destinations by state."""

    def live(self) -> "LogDestinationQuerySet":
        """Return those that are not deleted, paused ones included."""
        return self.filter(deleted_at=None)

    def failing(self) -> "LogDestinationQuerySet":
        """Return those whose last attempt failed and that keep retrying."""
        return self.live().filter(is_paused=False).exclude(failing_since=None)


class LogDestination(models.Model):
    """One receiver of the audit log of one workspace.

    The receiver has acknowledged every row up to `acked`, which only a restart moves back. The batch that ends at
    `leased` may have been sent; it is retried with the same bounds, so that a receiver recognises it by its id.
    """

    org_id = MaskedCharField("workspace", max_length=64)
    name = MaskedCharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=8, choices=DestinationKind)
    format = models.CharField(max_length=8, choices=DestinationFormat)
    address = MaskedCharField(max_length=ADDRESS_LENGTH, help_text="An https:// or tls:// address, or a file's name.")
    encrypted_secret = models.TextField(
        blank=True, help_text="The signing secret of a webhook, encrypted with SECRET_KEY."
    )
    is_paused = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = MaskedCharField(max_length=200, blank=True)
    deleted_at = models.DateTimeField(null=True)
    deleted_by = MaskedCharField(max_length=200, blank=True)

    acked = models.PositiveBigIntegerField(default=0, help_text="The last row that the receiver acknowledged.")
    acked_checkpoint = models.PositiveBigIntegerField(
        default=0, help_text="The last acknowledged checkpoint, by its key."
    )
    acked_at = models.DateTimeField(null=True)
    leased = models.PositiveBigIntegerField(default=0, help_text="The last row of the batch in progress; 0 for none.")
    leased_checkpoint = models.PositiveBigIntegerField(default=0)
    restarts = models.PositiveIntegerField(default=0, help_text="How often it was restarted from another row.")
    size_limit = models.PositiveIntegerField(
        default=0, help_text="Largest batch in bytes after the receiver refused a larger one; 0 for no limit."
    )
    rows_sent = models.PositiveBigIntegerField(default=0, help_text="Acknowledged rows, repetitions included.")

    attempts = models.PositiveIntegerField(default=0, help_text="Failed attempts since the last success.")
    failures = models.PositiveBigIntegerField(default=0, help_text="All failed attempts.")
    failing_since = models.DateTimeField(null=True)
    fault = MaskedCharField(max_length=300, blank=True, help_text="Why the last attempt failed.")
    next_try_at = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=36, blank=True, help_text="The process that delivers.")
    lease_expires_at = models.DateTimeField(null=True)

    objects = LogDestinationQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "name"], condition=models.Q(deleted_at=None), name="one_live_destination_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        """Return whether the last attempt failed and it keeps retrying."""
        return self.failing_since is not None and not self.is_paused

    @property
    def is_signed(self) -> bool:
        """Return whether requests are signed with a shared secret."""
        return self.kind == DestinationKind.WEBHOOK
