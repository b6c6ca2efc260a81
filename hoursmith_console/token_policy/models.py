"""The workspace's token policy."""

from django.db import models

from hoursmith_console.workspaces.models import Workspace


class TokenPolicy(models.Model):
    """How old and how idle a workspace lets its tokens become; no number, no limit."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="rotation_policy")
    max_age_days = models.PositiveIntegerField(null=True, blank=True)
    max_idle_days = models.PositiveIntegerField(null=True, blank=True)
    warn_days = models.PositiveIntegerField(default=14, help_text="How long before the limit people are warned.")
    notices_in_text = models.BooleanField(
        default=False, help_text="Assistants are told in the text of results too, not in their metadata alone."
    )
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Policy of {self.workspace}"
