"""Models of leaked tokens."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.models import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class LeakReport(TokenIdentity):
    """Report of a leaked token of the workspace, open until it is closed."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="leak_reports")
    found_in = MaskedCharField(max_length=200, blank=True, help_text="Where it was found, as reported.")
    reported_by = MaskedCharField(max_length=200)
    reported_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = MaskedCharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-reported_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "env", "prefix"], condition=models.Q(closed_at=None), name="one_open_leak_report"
            )
        ]

    def __str__(self) -> str:
        return self.masked_token
