"""Approval rules, and requests for approval."""

from django.db import models

from mcpbridge.models.token_ref import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField


class AnsweredIn(models.TextChoices):
    """Where a request can be approved."""

    CLIENT = "client", "in the assistant"
    CONSOLE = "console", "in the console"


class Decision(models.TextChoices):
    """The result of a request; empty while it is pending."""

    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired", "expired"


class ApprovalRule(models.Model):
    """Which destructive calls of a workspace need approval; none if nothing is selected."""

    org_id = MaskedCharField("workspace", max_length=64, unique=True)
    tools = MaskedJSONField(default=list)
    tokens = MaskedJSONField(default=list, help_text="Each as env_prefix.")
    hourly_limit = models.PositiveIntegerField(
        null=True, help_text="Destructive calls per token and hour without approval."
    )
    answered_in = models.CharField(max_length=7, choices=AnsweredIn, default=AnsweredIn.CONSOLE)
    holds_s = models.PositiveSmallIntegerField(default=45, help_text="How long a call waits for a decision.")
    lasts_s = models.PositiveIntegerField(default=900, help_text="How long a request, and then an approval, is valid.")

    def __str__(self) -> str:
        return self.org_id


class ApprovalRequest(TokenIdentity):
    """A destructive call that needs approval. An approval is valid for this call only, and once."""

    org_id = MaskedCharField("workspace", max_length=64)
    call_id = models.UUIDField(unique=True, help_text="The first call; identifies the request in its URL.")
    tool = MaskedCharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the arguments, to which the approval is bound.")
    arguments = MaskedJSONField(default=dict, help_text="Masked and shortened.")
    snapshot = MaskedJSONField(null=True, help_text="The current record; deleted when the request is closed.")
    target_type = MaskedCharField(max_length=32, blank=True)
    target_id = MaskedCharField(max_length=64, blank=True)
    target_label = MaskedCharField(max_length=200, blank=True)
    token_name = MaskedCharField(max_length=200, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    client_name = MaskedCharField("assistant", max_length=120, blank=True, help_text="Self-reported.")
    cause = MaskedCharField(max_length=5, help_text="tool, token or rate")
    answered_in = models.CharField(max_length=7, choices=AnsweredIn)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decision = models.CharField(max_length=8, choices=Decision, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = MaskedCharField(max_length=200, blank=True)
    used_at = models.DateTimeField(null=True, help_text="When the approval was used.")
    closed_at = models.DateTimeField(null=True, help_text="When it was used, denied or expired.")

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["env", "prefix", "tool", "digest"],
                condition=models.Q(closed_at=None),
                name="one_approval_open",
            )
        ]
        indexes = [
            models.Index(fields=["org_id", "-asked_at", "-id"], name="approval_org_asked"),
            models.Index(fields=["env", "prefix", "tool", "digest", "-id"], name="approval_call"),
            models.Index(fields=["org_id", "expires_at"], name="approval_open", condition=models.Q(closed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.target_label or self.target_id}"
