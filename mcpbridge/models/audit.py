"""The audit log: one chained row for the intent and the outcome of a destructive call, and for each console event."""

import uuid

from django.db import models

from mcpbridge.models.activity import CallFacts
from mcpbridge.models.enums import AuditPhase, Result
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField

# The rows that lists show; others are found by their call, so that indexes of lists are written only once for a call.
# SQLite uses these indexes only where a query has this condition or one side of it.
LISTED = models.Q(phase="intent") | models.Q(phase="event")


class AuditEvent(CallFacts):
    """One row of a workspace's audit chain: an intent, an outcome or a console event.

    Written only by `mcpbridge.audit`; triggers refuse changes and deletions. `hash` covers every other column, some
    through salted commitments, as `docs/audit-format.md` specifies.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    phase = models.CharField(max_length=10, choices=AuditPhase)
    recorded_at = models.DateTimeField(help_text="When this row was written (UTC).")
    org_name = MaskedCharField(max_length=200, blank=True)
    snapshot = MaskedJSONField(null=True, help_text="The record just before the call, read with the caller's token.")
    snapshot_fault = MaskedCharField(max_length=40, blank=True, help_text="Why there is no snapshot.")
    result = models.CharField(max_length=9, choices=Result, blank=True, help_text="Empty for an intent.")
    status = models.PositiveSmallIntegerField(null=True)
    code = MaskedCharField(max_length=40, blank=True)
    duration_ms = models.FloatField(null=True)
    actor = MaskedCharField(max_length=200, blank=True, help_text="The member or operator, for a console event.")
    note = MaskedCharField(max_length=1000, blank=True, help_text="The note of the actor.")
    epoch = models.PositiveIntegerField(default=0, editable=False, help_text="From 1; 0 for a row of format 1.")
    seal = models.BinaryField(null=True, help_text="32 random bytes, from which the salts of sealed members are made.")
    sequence = models.PositiveBigIntegerField(editable=False, help_text="The row's number in the workspace's chain.")
    previous_hash = models.CharField(max_length=64, editable=False)
    hash = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["-recorded_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["call_id", "phase"], name="audit_one_row_a_phase"),
            models.UniqueConstraint(fields=["org_id", "sequence"], name="audit_one_place_a_row"),
        ]
        # Ascending, though lists read them backwards: rows are then appended, which changes fewer pages.
        indexes = [
            models.Index(fields=["org_id", "recorded_at", "id"], name="audit_org_recorded_at"),
            models.Index(fields=["org_id", "tool", "recorded_at", "id"], name="audit_org_tool"),
            models.Index(
                fields=["org_id", "prefix", "recorded_at", "id"], name="audit_listed_prefix", condition=LISTED
            ),
            models.Index(fields=["org_id", "phase", "recorded_at", "id"], name="audit_listed_phase", condition=LISTED),
            models.Index(
                fields=["org_id", "client_name", "recorded_at", "id"], name="audit_listed_client", condition=LISTED
            ),
            models.Index(
                fields=["target_id", "recorded_at", "id"],
                name="audit_listed_target",
                condition=models.Q(target_id__gt="") & LISTED,
            ),
            models.Index(
                fields=["connection", "recorded_at", "id"],
                name="audit_listed_connection",
                condition=models.Q(connection__gt="") & LISTED,
            ),
            # Small, because few rows are in it. It repeats the result because SQLite uses it only then.
            models.Index(
                fields=["org_id", "result", "-recorded_at", "-id"],
                name="audit_org_unknown",
                condition=models.Q(result="unknown"),
            ),
            # Also small. A query with any one of its conditions can use it.
            models.Index(
                fields=["org_id", "-recorded_at", "-id"],
                name="audit_org_in_doubt",
                condition=models.Q(result="unknown") | models.Q(result="failed") | models.Q(phase="unknown"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.phase} at {self.recorded_at:%Y-%m-%d %H:%M:%S}"
