"""Grants: what assistants that signed in may do. No row holds a token, encrypted or not; the assistant does."""

from django.db import models

from mcpbridge.models.token_ref import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField

GRANT_ID_LENGTH = 12


class EndReason(models.TextChoices):
    """Why a grant ended before it expired."""

    MEMBER = "member", "Ended in the console"
    ASSISTANT = "assistant", "Ended by the assistant"
    TOKEN_REVOKED = "token_revoked", "Hoursmith no longer accepts the token"
    CODE_REUSED = "code_reused", "Its code was used twice"
    REFRESH_REUSED = "refresh_reused", "An old refresh token was used"


class Grant(TokenIdentity):
    """One assistant's access with one token, given on the authorization page.

    The assistant holds envelopes that name this row (`mcpbridge.grants.envelopes`). The row decides whether they are
    still good: it ends, and its generation tells a used refresh envelope from the current one.
    """

    id = models.CharField(max_length=GRANT_ID_LENGTH, primary_key=True, help_text="Public; grants no access.")
    org_id = MaskedCharField("workspace", max_length=64)
    token_name = MaskedCharField(max_length=200, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    connection = MaskedCharField(max_length=40, help_text="The id of its ObservedConnection.", db_index=True)
    client_name = MaskedCharField("assistant", max_length=120)
    client_host = MaskedCharField(max_length=255, blank=True, help_text="Empty unless the assistant is verified.")
    client_digest = models.BinaryField(max_length=16, help_text="Digest of the client_id.")
    redirect_host = MaskedCharField(max_length=255)
    is_read_only = models.BooleanField(default=False)
    authorized_by = MaskedCharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True, help_text="When the assistant exchanged its code.")
    generation = models.PositiveIntegerField(default=0, help_text="Of the current refresh envelope.")
    rotated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField(max_length=16, blank=True, choices=EndReason)
    ended_by = MaskedCharField(max_length=200, blank=True)
    refused_until = models.DateTimeField(
        null=True, help_text="Until then an access envelope of the ended grant may not have expired yet."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["org_id", "-created_at", "-id"], name="grant_workspace"),
            models.Index(fields=["prefix", "env"], name="grant_token"),
            # The restrictions ask for these every second.
            models.Index(
                fields=["refused_until"], name="grant_refused", condition=models.Q(refused_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.client_name


class UsedCode(models.Model):
    """An authorization code that was exchanged. Rows are removed once the code has long expired."""

    digest = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the code's id.")
    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="+")
    used_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest
