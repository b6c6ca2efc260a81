"""Verifications of audit logs started from the console, and the keys of watchers."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from mcpbridge.audit.verification import FindingKind
from mcpbridge.redaction.fields import MaskedCharField

# A run saves its progress every second; after this long without, its process has ended.
LOST_AFTER = timedelta(seconds=60)
WATCH_KEY_NAME_LENGTH = 80


class Verification(models.Model):
    """One run of the verifier over a workspace's audit log."""

    org_id = MaskedCharField("workspace", max_length=64)
    asked_by = MaskedCharField(max_length=255, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When the run last saved its progress.")
    ended_at = models.DateTimeField(null=True)
    rows = models.PositiveBigIntegerField(default=0, help_text="Entries read.")
    total = models.PositiveBigIntegerField(default=0, help_text="Entries in the log when the run started.")
    vouched = models.PositiveBigIntegerField(default=0, help_text="The last entry covered by a checkpoint.")
    is_sound = models.BooleanField(null=True, help_text="Empty while running, and if the run failed.")
    fault = MaskedCharField(max_length=200, blank=True, help_text="Why the run failed.")
    bad_kind = MaskedCharField(max_length=20, blank=True, help_text="Kind of mismatch: edited, removed, cut tail …")
    bad_sequence = models.PositiveBigIntegerField(null=True, help_text="Sequence number of the first bad entry.")
    bad_row = MaskedCharField(max_length=64, blank=True, help_text="Id of that entry, if there is one.")
    bad_call = models.UUIDField(null=True, help_text="Call or event that the entry belongs to.")
    bad_reason = MaskedCharField(max_length=400, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["org_id", "-id"], name="verification_org")]

    def __str__(self) -> str:
        return f"{self.org_id} at {self.started_at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_about_a_key(self) -> bool:
        """Whether the entries are consistent but signed with an unknown key."""
        # Earlier releases stored the names with spaces.
        kind = self.bad_kind.replace(" ", "-")
        return kind in (FindingKind.WRONG_KEY, FindingKind.UNKNOWN_KEY, FindingKind.RETIRED_KEY)

    @property
    def what_is_wrong(self) -> str:
        """The finding, as the start of a sentence."""
        return (
            "The audit log is signed with an unknown key"
            if self.is_about_a_key
            else f"The audit log was tampered with: {self.bad_kind.replace('-', ' ')}"
        )

    @property
    def is_running(self) -> bool:
        """Whether the run is in progress."""
        return self.ended_at is None and timezone.now() - self.seen_at < LOST_AFTER

    @property
    def is_lost(self) -> bool:
        """Whether the process ended before the run did."""
        return self.ended_at is None and not self.is_running


class WatchKeyQuerySet(models.QuerySet["WatchKey"]):
    """Watch keys by state."""

    def live(self) -> "WatchKeyQuerySet":
        """Return those that are not revoked."""
        return self.filter(revoked_at=None)


class WatchKey(models.Model):
    """A key with which a watcher reads the signed tree of one workspace's audit log.

    The key is `hwk_<slug>_<random>`; only its digest is stored.
    """

    org_id = MaskedCharField("workspace", max_length=64)
    name = MaskedCharField(max_length=WATCH_KEY_NAME_LENGTH)
    slug = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the key.")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = MaskedCharField(max_length=255, blank=True)
    rotated_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="When a watcher last read a checkpoint, to the minute.")
    seen_size = models.PositiveBigIntegerField(null=True, help_text="How many entries that checkpoint covers.")
    cosigner = MaskedCharField(
        max_length=400, blank=True, help_text="The verifier key of the watcher's cosignatures, once it sent one."
    )

    objects = WatchKeyQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "name"], condition=models.Q(revoked_at=None), name="one_live_watch_key_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.name
