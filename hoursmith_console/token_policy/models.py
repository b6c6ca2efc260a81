"""Models of the token policy."""

from django.db import models

from hoursmith_console.workspaces.models import Workspace


class TokenPolicy(models.Model):
    """Age and inactivity limits of a workspace's tokens; empty means no limit."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="token_policy")
    max_age_days = models.PositiveIntegerField(null=True, blank=True)
    max_idle_days = models.PositiveIntegerField(null=True, blank=True)
    warn_days = models.PositiveIntegerField(default=14, help_text="Days before the limit when the owner is warned.")
    notices_in_text = models.BooleanField(
        default=False, help_text="Show notices in the text of results, not only in their metadata."
    )
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Token policy of {self.workspace}"
