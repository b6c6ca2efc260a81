"""What people order the bridge to do with a token. Each can only narrow."""

from django.db import models

from mcpbridge.models.token_ref import PREFIX_LENGTH, TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class Lifted(models.Model):
    """An order that somebody may lift again. That marks its row; the record must still name it later."""

    lifted_at = models.DateTimeField(null=True)
    lifted_by = MaskedCharField(max_length=200, blank=True)

    class Meta:
        abstract = True


class TokenBlock(TokenIdentity, Lifted):
    """A token that an admin stopped at the bridge."""

    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    reason = MaskedCharField(max_length=200, blank=True)
    blocked_at = models.DateTimeField()
    blocked_by = MaskedCharField(max_length=200)
    liftable_by = models.BigIntegerField(
        null=True, help_text="The console's key of the member who may unblock it; admins may in any case."
    )

    class Meta:
        ordering = ["-blocked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "env", "prefix"], condition=models.Q(lifted_at=None), name="one_block_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.masked_token


class Freeze(TokenIdentity, Lifted):
    """The five destructive tools are refused: to one token, or without a prefix to all of the workspace's."""

    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    reason = MaskedCharField(max_length=200, blank=True)
    frozen_at = models.DateTimeField()
    frozen_by = MaskedCharField(max_length=200)

    class Meta:
        ordering = ["-frozen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "env", "prefix"], condition=models.Q(lifted_at=None), name="one_freeze_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.masked_token if self.prefix else self.org_id


class SnapshotStop(Lifted):
    """A workspace that wants no snapshots of what is destroyed."""

    org_id = MaskedCharField("workspace", max_length=64)
    stopped_at = models.DateTimeField()
    stopped_by = MaskedCharField(max_length=200)

    class Meta:
        ordering = ["-stopped_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id"], condition=models.Q(lifted_at=None), name="one_snapshot_stop_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.org_id


class TokenNotice(TokenIdentity):
    """One line that the token's assistants are told with each result, so that they can tell their person."""

    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    text = MaskedCharField(max_length=300)
    is_in_text = models.BooleanField(default=False, help_text="Also as a text block of the result, not in _meta alone.")
    given_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-given_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "env", "prefix"], condition=models.Q(ended_at=None), name="one_notice_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.text
