"""The connections of a workspace. The bridge records what it observes in `mcpbridge.models.ObservedConnection`."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.redaction.fields import MaskedCharField

LABEL_LENGTH = 120


class Access(models.TextChoices):
    """Permissions of the connection's address, within those of the token."""

    FULL = "full", "Full access"
    READ_ONLY = "readonly", "Read only"


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Connections, including removed ones."""

    def visible_to(self, viewer: Viewer) -> "ConnectionQuerySet":
        """Return those that `viewer` sees: the workspace's for reviewers, else the member's own."""
        rows = self.filter(workspace_id=viewer.member.workspace_id)
        return rows if viewer.member.sees_workspace else rows.filter(owner=viewer.member)


class Connection(models.Model):
    """One assistant of one teammate on one machine, such as "Claude Code on Ana's laptop".

    `slug` is the id in its address, `/mcp/c/<slug>`, and not secret. Removed connections are kept for the history.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="connections")
    owner = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="connections")
    slug = models.CharField(max_length=40, unique=True)
    client = MaskedCharField(max_length=32, help_text="Key of the client in the catalogue.")
    label = MaskedCharField(max_length=LABEL_LENGTH)
    access = models.CharField(max_length=8, choices=Access, default=Access.FULL)
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["workspace", "-created_at", "-id"], name="connection_workspace")]

    def __str__(self) -> str:
        return self.label
