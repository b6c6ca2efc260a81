"""Models of bulk actions: a stored job and its tokens, so that a stopped process or a closed tab loses nothing."""

from django.db import models
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class BulkAction(models.TextChoices):
    """What is done to each selected token."""

    BLOCK = "block", "Block tokens"
    ROTATION = "rotation", "Request rotation"
    REVOCATION = "revocation", "Request revocation"


class BulkOutcome(models.TextChoices):
    """What became of one token of a job."""

    WAITING = "", "Waiting"
    DONE = "done", "Done"
    ALREADY = "already", "Already done"
    REVOKED = "revoked", "Already revoked"
    GONE = "gone", "No longer there"
    DENIED = "denied", "No longer yours to act on"


class BulkJobQuerySet(models.QuerySet["BulkJob"]):
    """Bulk jobs, filtered by who may see them."""

    def visible_to(self, viewer: Viewer) -> "BulkJobQuerySet":
        """Return those that `viewer` sees: the workspace's for reviewers, else the member's own."""
        rows = self.filter(workspace_id=viewer.member.workspace_id)
        return rows if viewer.member.sees_workspace else rows.filter(member=viewer.member)


class BulkJob(models.Model):
    """One action on many tokens, confirmed by `member`; its tokens are worked off one by one.

    `form` is the one-use mark of the confirmed form, so that sending it twice starts one job.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = MaskedCharField(max_length=200)
    form = MaskedCharField(max_length=32)
    action = models.CharField(max_length=10, choices=BulkAction)
    reason = MaskedCharField(max_length=500, blank=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    total = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = BulkJobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["member", "form"], name="form_starts_one_job")]
        indexes = [models.Index(fields=["created_at"], name="bulk_to_do", condition=models.Q(ended_at=None))]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.total}"

    def get_absolute_url(self) -> str:
        """Return the path of the job's own page."""
        return reverse("console:tokens:bulk_job", args=[self.pk])

    @property
    def requester(self) -> str:
        """Name of who confirmed it, without the address."""
        return self.actor.partition(" <")[0]


class BulkItem(TokenIdentity):
    """One token of a job; without an outcome it is still to be done. `detail` says why it was not done."""

    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="items")
    token_name = MaskedCharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=7, choices=BulkOutcome, blank=True)
    detail = MaskedCharField(max_length=300, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["job", "outcome", "id"], name="bulk_outcome")]

    def __str__(self) -> str:
        return self.masked_token
