"""Usage counters, so that pages never count rows."""

from django.db import models

from mcpbridge.models.observed import ObservedToken
from mcpbridge.models.token_ref import PREFIX_LENGTH, TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class CallHour(TokenIdentity):
    """Calls that ended in one hour, of one token or, without a prefix, of the workspace.

    Updated by the activity recorder. Calls are counted by their kind if they succeeded, else as refused; attempted
    ones are destructive calls of any result.
    """

    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    org_id = MaskedCharField("workspace", max_length=64)
    hour = models.IntegerField(db_index=True, help_text="Hours since 1970 (UTC).")
    calls_read = models.PositiveBigIntegerField(default=0)
    calls_write = models.PositiveBigIntegerField(default=0)
    calls_destructive = models.PositiveBigIntegerField(default=0)
    calls_attempted = models.PositiveBigIntegerField(default=0)
    calls_refused = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-hour"]
        constraints = [
            models.UniqueConstraint(fields=["org_id", "prefix", "env", "hour"], name="calls_of_an_hour_once")
        ]
        indexes = [
            models.Index(
                fields=["org_id", "hour"], name="call_hour_destructive", condition=models.Q(calls_destructive__gt=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.masked_token if self.prefix else self.org_id} in hour {self.hour}"


class TokenTool(models.Model):
    """Calls of one tool with one token."""

    token = models.ForeignKey(ObservedToken, on_delete=models.CASCADE, related_name="tools")
    tool = MaskedCharField(max_length=64)
    calls = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0, help_text="Refused or failed calls among them.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-calls"]
        constraints = [models.UniqueConstraint(fields=["token", "tool"], name="token_tool_once")]
        indexes = [models.Index(fields=["tool", "-first_at"], name="token_tool_first")]

    def __str__(self) -> str:
        return self.tool
