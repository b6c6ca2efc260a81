"""Rotations, what each must update, and the mails about them. Never a secret."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.tokens.querysets import of_own_tokens
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import PREFIX_LENGTH, ObservedConnection, ObservedToken, RejectedCredential, TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class RotationKind(models.TextChoices):
    """Why a token is replaced; it decides the order of the steps."""

    LEAKED = "leaked", "It may have leaked"
    PLANNED = "planned", "Planned"
    OFFBOARDING = "offboarding", "Its owner leaves"


class RotationOutcome(models.TextChoices):
    """How a rotation ended."""

    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class NewTokenEvidence(models.TextChoices):
    """How a rotation knows that the new token is its owner's. A prefix that somebody typed is no way."""

    MINTED = "minted", "Created by this rotation"
    VERIFIED = "verified", "Verified by its owner"


class RotationQuerySet(models.QuerySet["Rotation"]):
    """Rotations, and what their old tokens were seen to do."""

    def visible_to(self, viewer: Viewer) -> "RotationQuerySet":
        """Return those that `viewer` sees: the workspace's for reviewers, else those of the member's own tokens."""
        rows = self.filter(workspace_id=viewer.member.workspace_id).select_related("workspace", "owner")
        return rows if viewer.member.sees_workspace else rows.filter(Q(owner=viewer.member) | of_own_tokens(viewer))

    def with_evidence(self) -> "RotationQuerySet":
        """Each with what `Rotation.is_contradicted` needs."""
        return self.annotate(contradiction=_contradiction())

    def retiring(self) -> "RotationQuerySet":
        """Those whose old token is out of use: it was revoked, or said to be, and Hoursmith did not accept it since."""
        return self.filter(~_contradiction(), revoked_at__isnull=False)


def _contradiction() -> Q:
    """Rotations whose old token Hoursmith accepted after it was said to be revoked, and has not refused since."""
    # Until the bridge asks Hoursmith anew, a call may still be under way.
    grace = timedelta(seconds=settings.IDENTITY_TTL_S)
    edge = ExpressionWrapper(OuterRef("revoked_at") + grace, output_field=models.DateTimeField())
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    here = {**same, "org_id": OuterRef("workspace__org_id")}
    refused = RejectedCredential.objects.filter(**same, fault="rejected", matches_token=True).order_by()
    used = ObservedToken.objects.filter(**here, last_used_at__gt=edge).order_by()
    greeted = ObservedConnection.objects.filter(**here, last_seen_at__gt=edge).order_by()
    return Q(Exists(used.exclude(Exists(refused.filter(last_at__gt=OuterRef("last_used_at")))))) | Q(
        Exists(greeted.exclude(Exists(refused.filter(last_at__gt=OuterRef("last_seen_at")))))
    )


class Rotation(TokenIdentity):
    """One token's way to its successor. `env` and `prefix` are the old token's; every instant is a step.

    A step was done by the console, or seen by the bridge, or said by a member, whose key then stands beside it.

    leaked:  revoked → minted → updated → seen
    planned: minted → updated → seen → revoked → silent
    leaving: revoked
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rotations")
    kind = models.CharField(max_length=11, choices=RotationKind)
    owner = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="rotations")
    owner_name = MaskedCharField(max_length=200, blank=True, help_text="As they were called then.")
    is_owner_assigned = models.BooleanField(default=False, help_text="An admin named the owner; no claim shows it.")
    token_name = MaskedCharField(max_length=200, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    reason = MaskedCharField(max_length=500, blank=True)
    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.SET_NULL, null=True, blank=True, related_name="rotations"
    )
    requested_by = MaskedCharField(max_length=200)
    requested_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    new_env = models.CharField(max_length=4, blank=True)
    new_prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    new_token_evidence = models.CharField(
        max_length=8, choices=NewTokenEvidence, blank=True, help_text="How the console knows the new token."
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    is_revocation_reported = models.BooleanField(
        default=False, help_text="A member said that they revoked it at Hoursmith; the console did not."
    )
    minted_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(null=True, blank=True, help_text="When its person said that all is updated.")
    updated_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    verified_at = models.DateTimeField(
        null=True, blank=True, help_text="When the new token had worked on every client."
    )
    confirmed_unused_at = models.DateTimeField(
        null=True, blank=True, help_text="When nothing tried the old one any more."
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=9, choices=RotationOutcome, blank=True)
    ended_by = MaskedCharField(max_length=200, blank=True)

    objects = RotationQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            # Two people who rotate the same token meet in one rotation.
            models.UniqueConstraint(
                fields=["workspace", "env", "prefix"], condition=models.Q(ended_at=None), name="one_rotation_under_way"
            )
        ]
        indexes = [models.Index(fields=["workspace", "-requested_at", "-id"], name="rotation_workspace")]

    def __str__(self) -> str:
        return f"{self.kind} {self.masked_token}"

    def get_absolute_url(self) -> str:
        """Return the path of the rotation's own page."""
        return reverse("console:rotations:detail", args=[self.pk])

    @property
    def requester(self) -> str:
        """Who asked for it, by name alone."""
        return self.requested_by.partition(" <")[0]

    @property
    def org_id(self) -> str:
        """Hoursmith's id of the workspace."""
        return self.workspace.org_id

    @property
    def is_contradicted(self) -> bool:
        """Whether Hoursmith accepted the old token last, after it was said to be revoked. Read it `with_evidence`."""
        return bool(self.__dict__["contradiction"])

    @property
    def old_key(self) -> tuple[str, str]:
        """What identifies the old token."""
        return self.env, self.prefix

    @property
    def new_key(self) -> tuple[str, str] | None:
        """What identifies the new token, where there is one."""
        return (self.new_env, self.new_prefix) if self.new_prefix else None


class RotationTarget(models.Model):
    """One assistant that used the old token and must get the new one: a connection, or a client's name without one."""

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="targets")
    connection = MaskedCharField(max_length=40, blank=True, help_text="The id in its address, where it has one.")
    client_name = MaskedCharField(max_length=120, blank=True, help_text="Self-reported.")
    client = MaskedCharField(max_length=32, blank=True, help_text="Which client it is: a key of the catalogue.")
    label = MaskedCharField(max_length=200)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="With the old token, before the rotation.")
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text="When its person said that it is updated.")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="When the new token was first seen here.")
    unused_at = models.DateTimeField(null=True, blank=True, help_text="When it was said to be no longer in use.")
    marked_by = models.ForeignKey(
        Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="Who said so last."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["rotation", "connection", "client_name"], name="rotation_place_once")
        ]

    def __str__(self) -> str:
        return self.label


class MailKind(models.TextChoices):
    """Why the console writes to somebody."""

    ASKED = "asked", "Asked for a rotation"
    REMINDER = "reminder", "Reminded of it"


class RotationMail(models.Model):
    """An e-mail that the console owes a member. Its text is made when it is sent, and kept nowhere.

    `key` names the occasion, such as this campaign or this day, so that nobody is written to twice about it.
    """

    key = MaskedCharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8, choices=MailKind)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.CASCADE, null=True, blank=True, related_name="mails"
    )
    queued_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="Empty once it is sent or given up.")
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    fault = MaskedCharField(max_length=120, blank=True, help_text="Why the last try failed.")

    class Meta:
        ordering = ["-queued_at", "-id"]
        indexes = [models.Index(fields=["next_attempt_at"], name="mail_to_try", condition=models.Q(sent_at=None))]

    def __str__(self) -> str:
        return self.key
