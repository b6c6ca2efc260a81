"""Workspaces, their members as Hoursmith lists them, and invitations."""

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField, MaskedEmailField

# Prefix of the `user_ref` of a member who is not in Hoursmith's list yet.
INVITED = "invited:"
ACTOR_LENGTH = 500


class Role(models.TextChoices):
    """Role of a member at Hoursmith; their tokens have the same permissions."""

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
    members_synced_at = models.DateTimeField(
        null=True, blank=True, help_text="When the members were last compared with Hoursmith's list."
    )
    requires_two_factor = models.BooleanField(
        default=False, help_text="Owners, Admins and Auditors must set up two-factor authentication."
    )
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days to keep audit entries; audit_prune removes older ones."
    )

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Members(models.QuerySet["Member"]):
    """QuerySet of members."""

    def with_access(self) -> "Members":
        """Return members with console access: active at Hoursmith, and not revoked here."""
        return self.filter(is_active=True, access_revoked_at=None)


class Member(models.Model):
    """A user in a workspace. `user` is their console account, if they have one."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="memberships"
    )
    member_id = MaskedCharField(max_length=64, help_text="Hoursmith's id of the membership.")
    user_ref = MaskedCharField(max_length=64, help_text="Hoursmith's id of the user.")
    name = MaskedCharField(max_length=200)
    email = MaskedEmailField()
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)
    is_auditor = models.BooleanField(default=False, help_text="Read-only access to the whole workspace.")
    invited_at = models.DateTimeField(null=True, blank=True)
    access_revoked_at = models.DateTimeField(
        null=True, blank=True, help_text="When console access was revoked here, regardless of Hoursmith."
    )
    access_revoked_by = MaskedCharField(max_length=200, blank=True)
    signed_in_at = models.DateTimeField(null=True, blank=True, help_text="Last sign-in to the console.")
    previous_sign_in_at = models.DateTimeField(
        null=True, blank=True, help_text="The sign-in before the last one; “since my last visit” begins here."
    )
    time_zone = MaskedCharField(
        max_length=64, blank=True, help_text="Zone of the times on pages; empty for the browser’s."
    )

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
    def is_listed(self) -> bool:
        """Return whether Hoursmith's list contains this member; otherwise they were only invited."""
        return not self.user_ref.startswith(INVITED)

    @property
    def display_identity(self) -> str:
        """Return name and address, as the audit log names the actor."""
        return f"{self.name} <{self.email}>"

    @property
    def sees_workspace(self) -> bool:
        """Return whether this member sees all tokens and calls of the workspace, not only their own."""
        return self.is_auditor or self.administers

    @property
    def administers(self) -> bool:
        """Return whether this member manages settings, invitations and other members' tokens."""
        return self.role in (Role.OWNER, Role.ADMIN) and not self.is_auditor

    @property
    def lost_access(self) -> str:
        """Return why this member cannot use the console any more; empty if they can."""
        if not self.is_active:
            return "no longer a member"
        return "access removed" if self.access_revoked_at is not None else ""

    @property
    def shown_role(self) -> str:
        """Return the role that applies in the console."""
        return "AUDITOR" if self.is_auditor else self.role


class Invitations(models.QuerySet["Invitation"]):
    """QuerySet of invitations."""

    def open(self) -> "Invitations":
        """Return those that can still be accepted.

        An invitation ends when the member's address or role changes, they get an account, their console access is
        revoked, or their membership at Hoursmith ends.
        """
        return self.filter(
            closed_at=None,
            expires_at__gt=timezone.now(),
            email=F("member__email"),
            role=F("member__role"),
            member__user=None,
            member__is_active=True,
            member__access_revoked_at=None,
        )


class Invitation(models.Model):
    """An invitation of a member to the console, by a one-time link or shown in an existing account."""

    class Channel(models.TextChoices):
        MAIL = "mail", "link by email"
        OPERATOR = "operator", "link from an operator"
        CONSOLE = "console", "no link"

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted"
        DECLINED = "declined"
        REPLACED = "replaced"
        WITHDRAWN = "withdrawn"

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="invitations")
    email = MaskedEmailField(help_text="The member's address when they were invited.")
    role = models.CharField(max_length=16, choices=Role, help_text="The member's role when they were invited.")
    channel = models.CharField(max_length=16, choices=Channel)
    digest = models.CharField(max_length=64, unique=True, null=True, help_text="SHA-256 of the link's secret.")  # noqa: DJ001
    takes_over_address = models.BooleanField(
        default=False, help_text="Creates an account even if another one uses the address unverified."
    )
    inviter = MaskedCharField(max_length=ACTOR_LENGTH)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)

    objects = Invitations.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.email} by {self.get_channel_display()}"
