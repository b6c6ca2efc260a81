"""What each witness last answered about each audit log."""

from django.db import models

from mcpbridge.redaction.fields import MaskedCharField


class WitnessStatus(models.Model):
    """The last answers of one witness about one workspace's log, for pages and metrics; nothing is decided by it."""

    org_id = MaskedCharField("workspace", max_length=64)
    witness = MaskedCharField(max_length=255, help_text="The name of the witness's key.")
    checkpoint = models.PositiveBigIntegerField(default=0, help_text="The last checkpoint it cosigned, by its key.")
    size = models.PositiveBigIntegerField(default=0, help_text="How many entries that checkpoint covers.")
    cosigned_at = models.DateTimeField(null=True, help_text="When, by the clock of the witness.")
    refusal = models.CharField(
        max_length=13,
        blank=True,
        choices=[(kind, kind) for kind in ("behind", "changed", "configuration", "unavailable")],
        help_text="Why it did not cosign the newest checkpoint; empty if it did.",
    )
    fault = MaskedCharField(max_length=300, blank=True, help_text="The refusal as a sentence.")
    failing_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ["witness", "id"]
        constraints = [models.UniqueConstraint(fields=["org_id", "witness"], name="one_status_a_witness")]

    def __str__(self) -> str:
        return f"{self.witness} of {self.org_id}"
