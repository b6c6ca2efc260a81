"""Checkpoints, cuts, tiles and signing keys, by which audit chains can be verified."""

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
    origin = models.CharField(max_length=255, blank=True, help_text="The name of the tree; empty in format 1.")
    root = models.CharField(max_length=64, blank=True, help_text="The root of the tree, in hexadecimal.")
    signed_note = models.TextField(blank=True, help_text="The same head as a signed note (C2SP tlog-checkpoint).")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["org_id", "-sequence", "-id"], name="signing_head_org")]

    def __str__(self) -> str:
        return f"{self.org_id} at {self.sequence}"


class Cosignature(models.Model):
    """The signature of a witness under the note of a checkpoint; believed only once its key has verified it."""

    head = models.ForeignKey(SigningHead, models.CASCADE, related_name="cosignatures")
    cosigner = MaskedCharField(max_length=255, help_text="The name of the witness's key.")
    line = models.CharField(max_length=500, help_text="The signature line of the note, line break included.")
    at = models.DateTimeField(help_text="When the witness saw the checkpoint, by its own clock.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["head", "cosigner"], name="one_cosignature_a_witness")]

    def __str__(self) -> str:
        return f"{self.cosigner} under {self.head_id}"


class AuditTile(models.Model):
    """Up to 256 nodes of a workspace's tree, 32 bytes each (C2SP tlog-tiles).

    Kept to make proofs from, and not believed: each proof is verified against a signed root before it is used.
    """

    org_id = MaskedCharField("workspace", max_length=64)
    level = models.PositiveSmallIntegerField(help_text="0 for leaves; a hash of level l has 256^l leaves below it.")
    number = models.PositiveBigIntegerField(help_text="The tile's place in its level.")
    hashes = models.BinaryField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["org_id", "level", "number"], name="one_tile_a_place")]

    def __str__(self) -> str:
        return f"{self.org_id} {self.level}/{self.number}"


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
    use = models.CharField(
        max_length=8, blank=True, help_text="signing or recovery; empty for an announcement of format 1."
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.key_id
