"""Models of token ownership: Hoursmith's `/me` names role and workspace of a token, but not its owner."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField

VERIFIED = "verified"


class TokenClaim(TokenIdentity):
    """Owner of a token, and how the console knows."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="token_claims")
    source = MaskedCharField(max_length=32, help_text="How this is known: minted, verified or imported.")
    form = MaskedCharField(max_length=32, blank=True, help_text="One-use mark of the form that created it here.")
    claimed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-claimed_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["env", "prefix"], name="token_claimed_once"),
            models.UniqueConstraint(fields=["member", "form"], condition=~models.Q(form=""), name="form_mints_once"),
        ]

    def __str__(self) -> str:
        return self.masked_token

    @property
    def is_verified(self) -> bool:
        """Whether the member presented the token; otherwise the console created it."""
        return self.source == VERIFIED


class ClaimAttempt(models.Model):
    """A pasted token that Hoursmith rejected or has not answered yet, of a member or of an address without one."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, null=True, related_name="claim_attempts")
    address = MaskedCharField(
        max_length=45, blank=True, help_text="Of the client, for attempts without a signed-in member."
    )
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.member or self.address} at {self.at:%Y-%m-%d %H:%M:%S}"
