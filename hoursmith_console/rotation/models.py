"""Rotations, what each must update, the campaigns that ask for them, and the workspace's policy. Never a secret."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.masked_fields import MaskedCharField, MaskedJSONField
from mcpbridge.models import PREFIX_LENGTH, TokenIdentity


class Kind(models.TextChoices):
    """Why a token is replaced; it decides the order of the steps."""

    LEAKED = "leaked", "It may have leaked"
    PLANNED = "planned", "Planned"
    LEAVING = "leaving", "Its owner leaves"


class Ending(models.TextChoices):
    """How a rotation ended."""

    DONE = "done", "Done"
    ABANDONED = "abandoned", "Abandoned"


class Policy(models.Model):
    """How old and how idle a workspace lets its tokens become; no number, no limit."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="rotation_policy")
    max_age_days = models.PositiveIntegerField(null=True, blank=True)
    max_idle_days = models.PositiveIntegerField(null=True, blank=True)
    warn_days = models.PositiveIntegerField(default=14, help_text="How long before the limit people are warned.")
    tells_in_text = models.BooleanField(
        default=False, help_text="Assistants are told in the text of results too, not in their metadata alone."
    )
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Policy of {self.workspace}"


class Campaign(models.Model):
    """An admin's request to rotate all tokens that fit `criteria` by a day."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="campaigns")
    title = MaskedCharField(max_length=120)
    reason = MaskedCharField(max_length=500, blank=True)
    criteria = MaskedJSONField(default=dict, help_text="What the tokens had in common, as it was asked for.")
    due_on = models.DateField()
    asked_by = MaskedCharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = MaskedCharField(max_length=200, blank=True)
    summary = MaskedJSONField(null=True, blank=True, help_text="How it stood when it was closed.")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def asker(self) -> str:
        """The name of whoever asked, without their address."""
        return self.asked_by.partition(" <")[0]

    @property
    def closer(self) -> str:
        """The name of whoever closed it, without their address."""
        return self.closed_by.partition(" <")[0]


class Rotation(TokenIdentity):
    """One token's way to its successor. `env` and `prefix` are the old token's; every instant is a step that was seen.

    leaked:  revoked → minted → updated → seen
    planned: minted → updated → seen → revoked → silent
    leaving: revoked
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rotations")
    kind = models.CharField(max_length=8, choices=Kind)
    owner = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="rotations")
    owner_name = MaskedCharField(max_length=200, blank=True, help_text="As they were called then.")
    token_name = MaskedCharField(max_length=200, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    reason = MaskedCharField(max_length=500, blank=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.SET_NULL, null=True, blank=True, related_name="rotations")
    asked_by = MaskedCharField(max_length=200)
    asked_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    new_env = models.CharField(max_length=4, blank=True)
    new_prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    minted_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(null=True, blank=True, help_text="When its person said that all is updated.")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When the new token had worked everywhere.")
    silent_at = models.DateTimeField(null=True, blank=True, help_text="When nothing tried the old one any more.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=9, choices=Ending, blank=True)
    ended_by = MaskedCharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            # Two people who rotate the same token meet in one rotation.
            models.UniqueConstraint(
                fields=["env", "prefix"], condition=models.Q(ended_at=None), name="one_rotation_under_way"
            )
        ]
        indexes = [models.Index(fields=["workspace", "-asked_at", "-id"], name="rotation_workspace")]

    def __str__(self) -> str:
        return f"{self.kind} {self.masked_token}"

    @property
    def asker(self) -> str:
        """Who asked for it, by name alone."""
        return self.asked_by.partition(" <")[0]

    @property
    def org_id(self) -> str:
        """Hoursmith's id of the workspace."""
        return self.workspace.org_id


class RotationPlace(models.Model):
    """One assistant that used the old token and must get the new one: a connection, or a client's name without one."""

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="places")
    connection = MaskedCharField(max_length=40, blank=True, help_text="The id in its address, where it has one.")
    client_name = MaskedCharField(max_length=120, blank=True, help_text="Self-reported.")
    client = MaskedCharField(max_length=32, blank=True, help_text="Which client it is: a key of the catalogue.")
    label = MaskedCharField(max_length=200)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="With the old token, before the rotation.")
    ticked_at = models.DateTimeField(null=True, blank=True, help_text="When its person said that it is updated.")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When the new token was first seen here.")
    given_up_at = models.DateTimeField(null=True, blank=True, help_text="When it was said to be no longer in use.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["rotation", "connection", "client_name"], name="rotation_place_once")
        ]

    def __str__(self) -> str:
        return self.label


class LeakReport(TokenIdentity):
    """Somebody found this token of the workspace where it should not be. Marked when it is dealt with."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="leak_reports")
    place = MaskedCharField(max_length=200, blank=True, help_text="Where it was found, in their words.")
    reported_by = MaskedCharField(max_length=200)
    reported_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = MaskedCharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-reported_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "env", "prefix"], condition=models.Q(settled_at=None), name="one_open_leak_report"
            )
        ]

    def __str__(self) -> str:
        return self.masked_token


class MailKind(models.TextChoices):
    """Why the console writes to somebody."""

    ASKED = "asked", "Asked for a rotation"
    REMINDER = "reminder", "Reminded of it"


class Mail(models.Model):
    """An e-mail that the console owes a member. Its text is made when it is sent, and kept nowhere.

    `key` names the occasion, such as this campaign or this day, so that nobody is written to twice about it.
    """

    key = MaskedCharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8, choices=MailKind)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="mails")
    queued_at = models.DateTimeField(default=timezone.now)
    next_try_at = models.DateTimeField(null=True, blank=True, help_text="Empty once it is sent or given up.")
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    fault = MaskedCharField(max_length=120, blank=True, help_text="Why the last try failed.")

    class Meta:
        ordering = ["-queued_at", "-id"]
        indexes = [models.Index(fields=["next_try_at"], name="mail_to_try", condition=models.Q(sent_at=None))]

    def __str__(self) -> str:
        return self.key
