"""Observed tokens with their AI clients and networks, observed connections, and rejected credentials."""

from django.db import models

from mcpbridge.models.token_ref import PREFIX_LENGTH, TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField


class ObservedToken(TokenIdentity):
    """A token that Hoursmith accepted through the bridge; guessed tokens are never stored here."""

    token_digest = models.BinaryField(
        max_length=32,
        null=True,
        help_text="Keyed digest of the secret that Hoursmith last accepted (`mcpbridge.core.token_digest`).",
    )
    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    org_name = MaskedCharField(max_length=200, blank=True)
    token_name = MaskedCharField(max_length=200, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    plan = MaskedCharField(max_length=16, blank=True)
    scopes = MaskedJSONField(default=list)
    first_used_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    last_tool = MaskedCharField(max_length=64, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    calls_read = models.PositiveBigIntegerField(default=0)
    calls_write = models.PositiveBigIntegerField(default=0)
    calls_destructive = models.PositiveBigIntegerField(default=0)
    calls_attempted = models.PositiveBigIntegerField(default=0, help_text="Destructive calls of any result.")
    calls_refused = models.PositiveBigIntegerField(default=0, help_text="Refused or failed calls of all kinds.")

    class Meta:
        ordering = ["-last_used_at"]
        constraints = [models.UniqueConstraint(fields=["env", "prefix"], name="observed_token_once")]

    def __str__(self) -> str:
        return self.token_name or self.masked_token

    @property
    def calls(self) -> int:
        """Return the number of calls of all kinds."""
        return self.calls_read + self.calls_write + self.calls_destructive + self.calls_refused


class ObservedClient(models.Model):
    """An AI client that used a token, which a rotation must update. Its name is self-reported."""

    token = models.ForeignKey(ObservedToken, on_delete=models.CASCADE, related_name="clients")
    name = MaskedCharField(max_length=120)
    version = MaskedCharField(max_length=60, blank=True)
    connection = MaskedCharField(max_length=40, blank=True)
    protocol = MaskedCharField(max_length=16, blank=True)
    transport = MaskedCharField(max_length=8, default="http")
    address = MaskedCharField(max_length=45, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(fields=["token", "name", "version", "connection"], name="observed_client_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class TokenNetwork(models.Model):
    """A network from which a token was used: the address truncated to /24, or /48 for IPv6."""

    token = models.ForeignKey(ObservedToken, on_delete=models.CASCADE, related_name="networks")
    network = MaskedCharField(max_length=45)
    calls = models.PositiveBigIntegerField(default=0)
    first_at = models.DateTimeField(db_index=True)
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_at"]
        constraints = [models.UniqueConstraint(fields=["token", "network"], name="token_network_once")]

    def __str__(self) -> str:
        return self.network


class ObservedConnection(TokenIdentity):
    """What the bridge observed of one AI client on one machine, which calls `/mcp/c/<slug>`.

    The console creates it for a workspace (`mcpbridge.activity.connections`). Only tokens of that workspace are bound
    to it; `env` and `prefix` are those of the last one. Anyone who knows the slug can cause errors here.
    """

    slug = models.CharField(max_length=40, unique=True, help_text="The id in the URL; not a secret.")
    org_id = MaskedCharField("workspace", max_length=64, db_index=True)
    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    client_name = MaskedCharField("assistant", max_length=120, blank=True, help_text="Self-reported.")
    client_version = MaskedCharField(max_length=60, blank=True)
    protocol = MaskedCharField(max_length=16, blank=True)
    transport = MaskedCharField(max_length=8, blank=True)
    address = MaskedCharField(max_length=45, blank=True)
    first_seen_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True, help_text="The last accepted request of any kind.")
    last_method = MaskedCharField(max_length=64, blank=True, help_text="The tool, or another MCP method.")
    called_at = models.DateTimeField(null=True, help_text="The last tool call.")
    last_status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status of the last tool call.")
    calls = models.PositiveBigIntegerField(default=0)
    fault = MaskedCharField(max_length=40, blank=True, help_text="The error code of the last rejected request.")
    fault_at = models.DateTimeField(null=True)
    fault_env = models.CharField(max_length=4, blank=True)
    fault_prefix = models.CharField(
        max_length=PREFIX_LENGTH, blank=True, help_text="The prefix of that request's credential, if any."
    )
    fault_client = MaskedCharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return self.slug


class RejectedCredential(models.Model):
    """Rejected requests, counted by the error of their credential; the recorder limits the number of rows.

    Only rows with `matches_token` are evidence: their requests carried a token that Hoursmith had accepted before and
    that is now revoked or blocked. Anyone who knows a prefix can cause the others.
    """

    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True, help_text="The prefix of the credential, if any.")
    fault = MaskedCharField(max_length=40)
    client_name = MaskedCharField("assistant", max_length=120, blank=True)
    connection = MaskedCharField(max_length=40, blank=True)
    address = MaskedCharField(max_length=45, blank=True)
    matches_token = models.BooleanField(
        default=False, help_text="The request carried the whole token, not only its prefix."
    )
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    attempts = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["prefix", "env", "matches_token", "fault", "client_name", "connection", "address"],
                name="rejected_once",
            )
        ]
        # To count the rows of the shared limit without reading those that match a token.
        indexes = [models.Index(fields=["address"], name="rejected_unmatched", condition=models.Q(matches_token=False))]

    def __str__(self) -> str:
        return f"{self.fault} from {self.address}"
