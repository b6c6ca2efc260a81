"""When the record of a workspace was verified from the console, and what came of it."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from mcpbridge.audit.verification import FindingKind
from mcpbridge.redaction.fields import MaskedCharField

# A run writes how far it is every second; after this long without, its process has ended.
SILENCE = timedelta(seconds=60)


class Verification(models.Model):
    """One run of the verifier over a workspace's chain."""

    org_id = MaskedCharField("workspace", max_length=64)
    asked_by = MaskedCharField(max_length=255, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When the run last said how far it is.")
    ended_at = models.DateTimeField(null=True)
    rows = models.PositiveBigIntegerField(default=0, help_text="Rows read.")
    total = models.PositiveBigIntegerField(default=0, help_text="Rows there were when it began.")
    vouched = models.PositiveBigIntegerField(default=0, help_text="The last row that a checkpoint covers.")
    is_sound = models.BooleanField(null=True, help_text="Empty while it runs, and where it could not be done.")
    fault = MaskedCharField(max_length=200, blank=True, help_text="Why it could not be done.")
    bad_kind = MaskedCharField(max_length=20, blank=True, help_text="What happened: edited, removed, cut tail …")
    bad_sequence = models.PositiveBigIntegerField(null=True, help_text="The first bad row's place in the chain.")
    bad_row = MaskedCharField(max_length=64, blank=True, help_text="That row's id, where a row stands there.")
    bad_call = models.UUIDField(null=True, help_text="The call or event that the row belongs to.")
    bad_reason = MaskedCharField(max_length=400, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["org_id", "-id"], name="verification_org")]

    def __str__(self) -> str:
        return f"{self.org_id} at {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_about_a_key(self) -> bool:
        """Whether the rows fit together so far, but a signature under them is not one that counts."""
        return self.bad_kind == FindingKind.WRONG_KEY

    @property
    def what_is_wrong(self) -> str:
        """What the run found, in a few words that begin a sentence."""
        return (
            "The audit record has a signature by a wrong key"
            if self.is_about_a_key
            else (f"The audit record was tampered with: {self.bad_kind}")
        )

    @property
    def is_running(self) -> bool:
        """Whether it goes on; a run whose process has ended does not."""
        return self.ended_at is None and timezone.now() - self.seen_at < SILENCE

    @property
    def is_lost(self) -> bool:
        """Whether its process has ended before it did."""
        return self.ended_at is None and not self.is_running
