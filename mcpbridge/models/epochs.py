"""Statements with which a log continues in a new epoch."""

from django.db import models

from mcpbridge.redaction.fields import MaskedCharField, MaskedTextField


class AuditEpoch(models.Model):
    """The signed beginning of an epoch of a workspace's log, after a restore or a lost signing key.

    `message` is the statement as it was signed; the columns repeat what queries need.
    """

    org_id = MaskedCharField("workspace", max_length=64)
    epoch = models.PositiveIntegerField(help_text="The epoch that begins, from 2.")
    kept = models.PositiveBigIntegerField(help_text="The last row of the epochs before; 0 if none was kept.")
    given_up = models.PositiveBigIntegerField(help_text="The last row that was signed in the epoch before.")
    message = MaskedTextField(help_text="RFC 8785, without a token: its reason was masked before it was signed.")
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=88, help_text="Ed25519, base64.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["org_id", "epoch"], name="one_statement_an_epoch")]

    def __str__(self) -> str:
        return f"{self.org_id}, epoch {self.epoch}"
