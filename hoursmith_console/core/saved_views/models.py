"""The views that people keep."""

from django.db import models
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField

NAME_LENGTH = 60
QUERY_LENGTH = 1000


class SavedView(models.Model):
    """The filters, search and order of one list, under a name that its member gave them."""

    member = models.ForeignKey("workspaces.Member", on_delete=models.CASCADE, related_name="saved_views")
    area = MaskedCharField(max_length=16, help_text="The list that it is of, by its area's address.")
    name = MaskedCharField(max_length=NAME_LENGTH)
    query = MaskedCharField(max_length=QUERY_LENGTH, help_text="As in the address, without the place in the list.")
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["member", "area", "name"], name="saved_view_once_a_name")]

    def __str__(self) -> str:
        return self.name
