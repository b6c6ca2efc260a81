"""What makes the chain provable: signed heads, signed cuts, and the keys they were signed with."""

from django.db import models

from mcpbridge.redaction.fields import MaskedCharField


class SignedHead(models.Model):
    """Where a workspace's chain stood at an instant, signed. What a copy of the chain must agree with."""

    org_id = MaskedCharField("workspace", max_length=64)
    sequence = models.PositiveBigIntegerField(help_text="The last row's place; 0 where there was none yet.")
    hash = models.CharField(max_length=64, help_text="The last row's hash.")
    at = models.DateTimeField()
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=88, help_text="Ed25519, base64.")

    class Meta:
        abstract = True


class SigningHead(SignedHead):
    """A checkpoint."""

    reason = MaskedCharField(max_length=10, help_text="rows, time, shutdown, prune, demand")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["org_id", "-sequence", "-id"], name="signing_head_org")]

    def __str__(self) -> str:
        return f"{self.org_id} at {self.sequence}"


class AuditCut(SignedHead):
    """A signed stub: rows up to `sequence` were exported and removed under retention; the chain goes on behind it."""

    rows = models.PositiveBigIntegerField(help_text="How many rows were removed.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["org_id", "sequence"], name="one_cut_a_place")]

    def __str__(self) -> str:
        return f"{self.org_id} up to {self.sequence}"


class SigningKey(models.Model):
    """A public key that signs, or signed, checkpoints. Each but the first was announced by the one before it."""

    key_id = models.CharField(max_length=16, unique=True)
    public_key = models.CharField(max_length=44, help_text="Ed25519, 32 bytes, base64.")
    since = models.DateTimeField()
    announced_by = models.CharField(max_length=16, blank=True, help_text="The key before it; empty for the first.")
    signature = models.CharField(max_length=88, help_text="That key's over this one; the first signs itself.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.key_id
