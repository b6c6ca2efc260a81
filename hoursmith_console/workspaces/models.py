"""The workspaces that the console serves and the people in them, as Hoursmith names them."""

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField, MaskedEmailField

# Begins the `user_ref` of a member whom Hoursmith's list has not named yet.
INVITED = "invited:"
ACTOR_LENGTH = 500


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
    requires_two_factor = models.BooleanField(
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
        return self.filter(is_active=True, access_revoked_at=None)


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
    access_revoked_at = models.DateTimeField(
        null=True, blank=True, help_text="When their way into the console was closed here, whatever Hoursmith says."
    )
    access_revoked_by = MaskedCharField(max_length=200, blank=True)

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
        """Return whether Hoursmith's list of members has named this member; otherwise they were only invited."""
        return not self.user_ref.startswith(INVITED)

    @property
    def display_identity(self) -> str:
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


class Invitations(models.QuerySet["Invitation"]):
    """Invitations of members."""

    def open(self) -> "Invitations":
        """Return those that can still be accepted.

        An invitation is for one member as they were then: another address or role, an account, a closed console or
        the end of the membership at Hoursmith ends it.
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
    """An offer to a member to sign in to the console, by a one-time link or only inside an account."""

    class Channel(models.TextChoices):
        MAIL = "mail", "link by mail"
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
        default=False, help_text="Makes an account even where another one uses the address without proof."
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
