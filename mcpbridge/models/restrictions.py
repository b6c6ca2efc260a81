"""Restrictions of tokens and workspaces: blocks, pauses and notices. Each can only narrow access."""

from django.db import models

from mcpbridge.models.token_ref import PREFIX_LENGTH, TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField


class Lifted(models.Model):
    """A restriction that can be lifted. Lifting marks the row, so that it stays in the history."""

    lifted_at = models.DateTimeField(null=True)
    lifted_by = MaskedCharField(max_length=200, blank=True)

    class Meta:
        abstract = True


class TokenBlock(TokenIdentity, Lifted):
    """A token that is blocked at the bridge."""

    # Not stored: whether the call of `block_token` that returned this made it.
    is_new = False

    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    reason = MaskedCharField(max_length=200, blank=True)
    blocked_at = models.DateTimeField()
    blocked_by = MaskedCharField(max_length=200)
    liftable_by = models.BigIntegerField(
        null=True, help_text="The key of the console member who may unblock it besides admins."
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
    """The five destructive tools are paused, for one token or, without a prefix, for the workspace."""

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
    """A workspace without snapshots of deleted records."""

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
    """A line that is sent to a token's AI clients with each result, for their user."""

    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    text = MaskedCharField(max_length=300)
    is_in_text = models.BooleanField(
        default=False, help_text="Also send it as a text block of the result, not only in _meta."
    )
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
