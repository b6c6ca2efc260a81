"""Which calls wait for a person, and those that wait or waited."""

from django.db import models

from mcpbridge.models.token_ref import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField


class AnsweredIn(models.TextChoices):
    """Where a person's consent counts."""

    CLIENT = "client", "in the assistant"
    CONSOLE = "console", "in the console"


class Decision(models.TextChoices):
    """What became of a request for consent; empty while it waits."""

    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired", "nobody answered"


class ApprovalRule(models.Model):
    """Which destructive calls of a workspace wait for a person. One that chooses nothing lets all of them through."""

    org_id = MaskedCharField("workspace", max_length=64, unique=True)
    tools = MaskedJSONField(default=list)
    tokens = MaskedJSONField(default=list, help_text="Each as env_prefix.")
    hourly_limit = models.PositiveIntegerField(null=True, help_text="Destructive calls of one token, in an hour.")
    answered_in = models.CharField(max_length=7, choices=AnsweredIn, default=AnsweredIn.CONSOLE)
    holds_s = models.PositiveSmallIntegerField(default=45, help_text="How long a call is held for an answer.")
    lasts_s = models.PositiveIntegerField(default=900, help_text="How long a request stands, and then a consent.")

    def __str__(self) -> str:
        return self.org_id


class ApprovalRequest(TokenIdentity):
    """One destructive call that waits for a person, or waited. Consent is for this call alone, and for once."""

    org_id = MaskedCharField("workspace", max_length=64)
    call_id = models.UUIDField(unique=True, help_text="The call that asked first; the request's address.")
    tool = MaskedCharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the arguments: consent is bound to them.")
    arguments = MaskedJSONField(default=dict, help_text="Redacted and shortened.")
    snapshot = MaskedJSONField(null=True, help_text="The record as it is; emptied when the request is closed.")
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
    used_at = models.DateTimeField(null=True, help_text="When the call left, on the strength of the consent.")
    closed_at = models.DateTimeField(null=True, help_text="Used, refused, or out of time.")

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
