"""The workspaces that the console serves and the people in them, as Hoursmith names them."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    """What a member may do at Hoursmith; their tokens may do exactly that."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MANAGER = "MANAGER"
    MEMBER = "MEMBER"


class Workspace(models.Model):
    """One Hoursmith organization. The bridge's rows belong to it by `org_id`."""

    org_id = models.CharField(max_length=64, unique=True, help_text="Hoursmith's id of the workspace.")
    name = models.CharField(max_length=200)
    plan = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """One person in one workspace. `user` is their console account, where they have one."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="memberships"
    )
    member_id = models.CharField(max_length=64, help_text="Hoursmith's id of the membership.")
    user_ref = models.CharField(max_length=64, help_text="Hoursmith's id of the person.")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)

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
        """Whether this member reviews everybody's tokens, not only their own."""
        return self.role in (Role.OWNER, Role.ADMIN)
