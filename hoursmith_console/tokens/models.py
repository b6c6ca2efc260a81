"""Whose token is whose: Hoursmith's `/me` names a role and a workspace, but no person."""

from django.db import models
from django.utils import timezone

from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField

VERIFIED = "verified"


class TokenClaim(TokenIdentity):
    """The member to whom a token belongs, and how the console came to know."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="token_claims")
    source = MaskedCharField(max_length=32, help_text="How this is known: minted here, claimed, imported …")
    form = MaskedCharField(max_length=32, blank=True, help_text="The one-use mark of the form that minted it here.")
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
        """Whether it rests on showing the token; otherwise the console created it for its member."""
        return self.source == VERIFIED


class ClaimAttempt(models.Model):
    """A token that somebody showed to the claim page and that Hoursmith did not accept, or was not asked about yet."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="claim_attempts")
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.member} at {self.at:%Y-%m-%d %H:%M:%S}"
