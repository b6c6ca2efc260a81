"""Models of restores."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.models import Result, TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class Restore(TokenIdentity):
    """One attempt to undo the destructive call `call_id`, made with the token that `env` and `prefix` name.

    A call has one attempt that is not void. An attempt is void if it surely changed nothing, so another may follow.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="restores")
    call_id = models.UUIDField(help_text="The destructive call.")
    actor = MaskedCharField(max_length=200)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=9, choices=Result, blank=True, help_text="Empty until it is recorded.")
    is_void = models.BooleanField(default=False, help_text="Changed nothing; another attempt may follow.")
    problem = MaskedCharField(max_length=400, blank=True, help_text="Why it did not succeed, and what to do.")
    record_id = MaskedCharField(max_length=64, blank=True, help_text="The id of the record that came back.")

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["call_id"], condition=models.Q(is_void=False), name="one_restore_of_a_call")
        ]
        indexes = [models.Index(fields=["workspace", "call_id"], name="restore_of_a_call")]

    def __str__(self) -> str:
        return f"Restore of {self.call_id}"
