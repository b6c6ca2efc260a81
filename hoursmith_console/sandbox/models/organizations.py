"""Workspace, users and members."""

import uuid

from django.db import models


class Plan(models.TextChoices):
    """Plan of the workspace; `free` has no API access."""

    FREE = "free"
    STUDIO = "studio"
    AGENCY = "agency"


class Role(models.TextChoices):
    """Roles, from most to fewest permissions."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MANAGER = "MANAGER"
    MEMBER = "MEMBER"


class Organization(models.Model):
    """A workspace; every other row belongs to one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    plan = models.CharField(max_length=16, choices=Plan, default=Plan.AGENCY)
    default_currency = models.CharField(max_length=3, default="EUR")
    invoice_prefix = models.CharField(max_length=20, default="INV-")
    legal_name = models.CharField(max_length=200, null=True)  # noqa: DJ001 – the contract tells null from empty.
    tax_id = models.CharField(max_length=50, null=True)  # noqa: DJ001
    business_email = models.CharField(max_length=254, null=True)  # noqa: DJ001
    business_website = models.CharField(max_length=500, null=True)  # noqa: DJ001
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """A user with a Hoursmith account; their id is the contract's `userId`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField(unique=True)

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A user in a workspace. Their tokens have this row's current role and projects."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "user"], name="sandbox_member_once"),
            models.UniqueConstraint(fields=["org"], condition=models.Q(role=Role.OWNER), name="sandbox_one_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    @property
    def name(self) -> str:
        """Return the user's name; no query if `user` was selected."""
        return self.user.name

    @property
    def email(self) -> str:
        """Return the user's email address."""
        return self.user.email
