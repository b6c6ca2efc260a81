"""The workspaces that the console serves and the people in them, as Hoursmith names them."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from mcpbridge.masked_fields import MaskedCharField, MaskedEmailField


class Role(models.TextChoices):
    """What a member may do at Hoursmith; their tokens may do exactly that."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MANAGER = "MANAGER"
    MEMBER = "MEMBER"


class Workspace(models.Model):
    """One Hoursmith organization. The bridge's rows belong to it by `org_id`."""

    org_id = MaskedCharField(max_length=64, unique=True, help_text="Hoursmith's id of the workspace.")
    name = MaskedCharField(max_length=200)
    plan = MaskedCharField(max_length=16, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    needs_second_factor = models.BooleanField(
        default=False, help_text="Whoever reviews the workspace has a second factor, or sets one up before anything."
    )
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long audit rows are kept; audit_prune removes what is older."
    )

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Members(models.QuerySet["Member"]):
    """People in workspaces."""

    def with_access(self) -> "Members":
        """Those whom the console lets in: on Hoursmith's list, and not shut out here."""
        return self.filter(is_active=True, shut_out_at=None)


class Member(models.Model):
    """One person in one workspace. `user` is their console account, where they have one."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="memberships"
    )
    member_id = MaskedCharField(max_length=64, help_text="Hoursmith's id of the membership.")
    user_ref = MaskedCharField(max_length=64, help_text="Hoursmith's id of the person.")
    name = MaskedCharField(max_length=200)
    email = MaskedEmailField()
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)
    is_auditor = models.BooleanField(
        default=False, help_text="Reads everything of the workspace in the console, and changes nothing."
    )
    invited_at = models.DateTimeField(null=True, blank=True)
    shut_out_at = models.DateTimeField(
        null=True, blank=True, help_text="When their way into the console was closed here, whatever Hoursmith says."
    )
    shut_out_by = MaskedCharField(max_length=200, blank=True)

    objects = Members.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user_ref"], name="member_once_a_workspace"),
            models.UniqueConstraint(
                fields=["workspace", "user"], condition=models.Q(user__isnull=False), name="account_once_a_workspace"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def named(self) -> str:
        """Name and address, as the audit record names who did something."""
        return f"{self.name} <{self.email}>"

    @property
    def sees_workspace(self) -> bool:
        """Whether this member reviews everybody's tokens, not only their own, with what was sent and destroyed."""
        return self.is_auditor or self.administers

    @property
    def administers(self) -> bool:
        """Whether this member decides for the workspace: policies, invitations, other people's tokens."""
        return self.role in (Role.OWNER, Role.ADMIN) and not self.is_auditor

    @property
    def shown_role(self) -> str:
        """The role that counts in the console."""
        return "AUDITOR" if self.is_auditor else self.role
