"""Base model of the workspace's records."""

import uuid

from django.db import models

from hoursmith_console.sandbox.models.organizations import Organization


class Record(models.Model):
    """A row of one workspace. `deleted_at` means archived for projects and tasks, and deleted for all others."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="%(class)ss")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["org", "created_at", "id"], name="%(class)s_by_creation")]
