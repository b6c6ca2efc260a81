"""Models of campaigns."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField


class CampaignKind(models.TextChoices):
    """What a campaign asks the owners to do. Each value is the `RotationKind` of its rotations."""

    ROTATION = "planned", "Rotation"
    LEAKED = "leaked", "Rotation of leaked tokens"
    REVOCATION = "revocation", "Revocation"


class Campaign(models.Model):
    """An admin's request to rotate or revoke tokens by a due date; `criteria` say which."""

    kind = models.CharField(max_length=10, choices=CampaignKind, default=CampaignKind.ROTATION)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="campaigns")
    title = MaskedCharField(max_length=120)
    reason = MaskedCharField(max_length=500, blank=True)
    criteria = MaskedJSONField(default=dict, help_text="Criteria at the time of the request.")
    due_on = models.DateField()
    requested_by = MaskedCharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = MaskedCharField(max_length=200, blank=True)
    summary = MaskedJSONField(null=True, blank=True, help_text="Progress when it was closed.")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def asks_for(self) -> str:
        """What the owners are asked for, in one word."""
        return "revocation" if self.kind == CampaignKind.REVOCATION else "rotation"

    @property
    def requester(self) -> str:
        """Name of the requester, without the address."""
        return self.requested_by.partition(" <")[0]

    @property
    def closed_by_name(self) -> str:
        """Name of who closed it, without the address."""
        return self.closed_by.partition(" <")[0]
