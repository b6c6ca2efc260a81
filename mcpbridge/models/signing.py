"""Checkpoints, cuts and signing keys, by which audit chains can be verified."""

from django.db import models

from mcpbridge.redaction.fields import MaskedCharField


class SignedHead(models.Model):
    """A signed head of a workspace's chain, with which every copy of the chain must agree."""

    org_id = MaskedCharField("workspace", max_length=64)
    sequence = models.PositiveBigIntegerField(help_text="The number of the last row; 0 if there was none.")
    hash = models.CharField(max_length=64, help_text="The last row's hash.")
    at = models.DateTimeField()
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=88, help_text="Ed25519, base64.")

    class Meta:
        abstract = True


class SigningHead(SignedHead):
    """A signed checkpoint."""

    reason = MaskedCharField(max_length=10, help_text="rows, time, shutdown, prune, demand")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["org_id", "-sequence", "-id"], name="signing_head_org")]

    def __str__(self) -> str:
        return f"{self.org_id} at {self.sequence}"


class AuditCut(SignedHead):
    """A signed cut: rows up to `sequence` were archived and pruned; the chain continues after it."""

    rows = models.PositiveBigIntegerField(help_text="How many rows were removed.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["org_id", "sequence"], name="one_cut_a_place")]

    def __str__(self) -> str:
        return f"{self.org_id} up to {self.sequence}"


class SigningKey(models.Model):
    """A public signing key. Each but the first was announced by the one before it."""

    key_id = models.CharField(max_length=16, unique=True)
    public_key = models.CharField(max_length=44, help_text="Ed25519, 32 bytes, base64.")
    since = models.DateTimeField()
    announced_by = models.CharField(
        max_length=16, blank=True, help_text="The key that announced it; empty for the first."
    )
    signature = models.CharField(max_length=88, help_text="The signature of that key; the first key signs itself.")
    countersignature = models.CharField(
        max_length=88, blank=True, help_text="The signature of the key itself; empty for the first."
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.key_id
