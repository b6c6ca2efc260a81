"""Models of rotations: the rotation, the assistants it must update, and its emails. None stores a secret."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.tokens.querysets import of_own_tokens
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import (
    PREFIX_LENGTH,
    ObservedConnection,
    ObservedToken,
    RejectedCredential,
    TokenIdentity,
    TokenRef,
)
from mcpbridge.redaction.fields import MaskedCharField


class RotationKind(models.TextChoices):
    """Reason for a rotation; it decides the order of the steps."""

    LEAKED = "leaked", "Leaked"
    PLANNED = "planned", "Planned"
    OFFBOARDING = "offboarding", "Offboarding"
    REVOCATION = "revocation", "Revocation"


# Kinds that only revoke the old token.
WITHOUT_NEW_TOKEN = (RotationKind.OFFBOARDING, RotationKind.REVOCATION)


class RotationOutcome(models.TextChoices):
    """How a rotation ended."""

    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class NewTokenEvidence(models.TextChoices):
    """How the console knows that the new token belongs to the owner. A typed prefix is never accepted."""

    MINTED = "minted", "Created by this rotation"
    VERIFIED = "verified", "Verified by its owner"


class RotationQuerySet(models.QuerySet["Rotation"]):
    """Rotations, filtered by what was observed of their old tokens."""

    def visible_to(self, viewer: Viewer) -> "RotationQuerySet":
        """Return those that `viewer` sees: the workspace's for reviewers, else those of the member's own tokens."""
        rows = self.filter(workspace_id=viewer.member.workspace_id).select_related("workspace", "owner")
        return rows if viewer.member.sees_workspace else rows.filter(Q(owner=viewer.member) | of_own_tokens(viewer))

    def needing_action(self) -> "RotationQuerySet":
        """Filter: open rotations in which someone has something to do. Everything that asks for work uses this.

        Others have ended, or wait for the old token to count as unused.
        """
        return self.filter(~_confirming(), ended_at=None)

    def confirming(self) -> "RotationQuerySet":
        """Filter: open rotations whose last step completes without anyone: no attempts with the old token."""
        return self.filter(_confirming(), ended_at=None)

    def with_contradiction(self) -> "RotationQuerySet":
        """Annotate each rotation with what `Rotation.is_contradicted` needs."""
        return self.annotate(contradiction=_contradiction())

    def revoked(self) -> "RotationQuerySet":
        """Filter: the old token was revoked, or reported as revoked and not accepted by Hoursmith since."""
        return self.filter(~_contradiction(), revoked_at__isnull=False)


def _contradiction() -> Q:
    """Match rotations whose old token Hoursmith accepted after its revocation and has not rejected since."""
    # Identities are cached for this long, so a call may still be accepted shortly after the revocation.
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


def _confirming() -> Q:
    """Match rotations whose steps are done up to the last; the same rule as `Rotation.is_confirming`."""
    is_last = Q(kind__in=WITHOUT_NEW_TOKEN) | Q(verified_at__isnull=False)
    return Q(revoked_at__isnull=False) & is_last & ~_contradiction()


class Rotation(TokenIdentity):
    """Replacement of one token. `env` and `prefix` name the old token; each `*_at` field completes a step.

    A step is done by the console, observed by the gateway, or reported by a member (then `*_by` names them).

    leaked:      revoked → minted → updated → verified
    planned:     minted → updated → verified → revoked → confirmed unused
    offboarding: revoked
    revocation:  revoked
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rotations")
    kind = models.CharField(max_length=11, choices=RotationKind)
    owner = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="rotations")
    owner_name = MaskedCharField(max_length=200, blank=True, help_text="Name at the time of the rotation.")
    is_owner_assigned = models.BooleanField(
        default=False, help_text="An admin assigned the owner; no claim verifies it."
    )
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
        default=False, help_text="A member reported the revocation; the console did not revoke it."
    )
    minted_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(null=True, blank=True, help_text="When every assistant was marked as updated.")
    updated_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True, help_text="When every assistant had used the new token.")
    confirmed_unused_at = models.DateTimeField(null=True, blank=True, help_text="When the old token counted as unused.")
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=9, choices=RotationOutcome, blank=True)
    ended_by = MaskedCharField(max_length=200, blank=True)

    objects = RotationQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            # Members who rotate the same token share one rotation.
            models.UniqueConstraint(
                fields=["workspace", "env", "prefix"], condition=models.Q(ended_at=None), name="one_open_rotation"
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
        """Name of the requester, without the address."""
        return self.requested_by.partition(" <")[0]

    @property
    def ends_without_new_token(self) -> bool:
        """Whether the old token is only revoked."""
        return self.kind in WITHOUT_NEW_TOKEN

    @property
    def org_id(self) -> str:
        """Hoursmith's ID of the workspace."""
        return self.workspace.org_id

    @property
    def is_contradicted(self) -> bool:
        """Whether Hoursmith accepted the old token after its revocation. Requires `with_contradiction()`."""
        return bool(self.__dict__["contradiction"])

    def is_confirming(self, *, is_accepted: bool) -> bool:
        """Whether nothing is left to do but to wait until the old token counts as unused.

        `is_accepted`: Hoursmith accepted the old token after its revocation.
        """
        is_last = self.ends_without_new_token or self.verified_at is not None
        return self.ended_at is None and self.revoked_at is not None and is_last and not is_accepted

    @property
    def needs_action(self) -> bool:
        """Whether someone has something to do, as in `needing_action`. Requires `with_contradiction()`."""
        return self.ended_at is None and not self.is_confirming(is_accepted=self.is_contradicted)

    @property
    def old_ref(self) -> TokenRef:
        """The old token."""
        return TokenRef(self.env, self.prefix)

    @property
    def new_ref(self) -> TokenRef | None:
        """The new token; None if there is none yet."""
        return TokenRef(self.new_env, self.new_prefix) if self.new_prefix else None


class RotationTarget(models.Model):
    """One assistant that must switch to the new token: a connection, or a reported client name without one."""

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="targets")
    connection = MaskedCharField(max_length=40, blank=True, help_text="ID in the connection's address, if any.")
    client_name = MaskedCharField(max_length=120, blank=True, help_text="Self-reported.")
    client = MaskedCharField(max_length=32, blank=True, help_text="Key of the AI client in the catalogue.")
    label = MaskedCharField(max_length=200)
    last_used_at = models.DateTimeField(
        null=True, blank=True, help_text="Last use of the old token before the rotation."
    )
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text="When it was marked as updated.")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="First use of the new token here.")
    unused_at = models.DateTimeField(null=True, blank=True, help_text="When it was marked as no longer used.")
    marked_by = models.ForeignKey(
        Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="Who marked it last."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["rotation", "connection", "client_name"], name="one_target_per_assistant")
        ]

    def __str__(self) -> str:
        return self.label


class MailKind(models.TextChoices):
    """Reason for an email."""

    REQUEST = "request", "Request"
    REMINDER = "reminder", "Reminder"


class RotationMail(models.Model):
    """An email to a member, queued or sent. Its text is built when it is sent and never stored.

    `key` names the occasion (a campaign, or a day), so that no member gets two emails for one.
    """

    key = MaskedCharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8, choices=MailKind)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.CASCADE, null=True, blank=True, related_name="mails"
    )
    queued_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="Empty once sent or given up.")
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = MaskedCharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-queued_at", "-id"]
        indexes = [models.Index(fields=["next_attempt_at"], name="mail_to_try", condition=models.Q(sent_at=None))]

    def __str__(self) -> str:
        return self.key
