"""What the bridge remembers. Every row carries its workspace (`org_id`); no row can carry a token.

A token is known here by its environment and its public prefix, which together find it at Hoursmith
but do not open anything. Names are frozen as text, so that history outlives renames and deletions.
"""

import uuid

from django.db import models

# Django finds an application's models through this module.
from mcpbridge.sinks.models import Sink as Sink

PREFIX_LENGTH = 12


class Kind(models.TextChoices):
    """What a tool does to the workspace."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
    # Not a tool's: what a person did in the console, or the console by itself.
    CONSOLE = "console"


TOOL_KINDS = (Kind.READ, Kind.WRITE, Kind.DESTRUCTIVE)


class Result(models.TextChoices):
    """How a call ended, as far as the bridge knows."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Phase(models.TextChoices):
    """Which part of its story an audit row tells."""

    INTENT = "intent"
    OUTCOME = "outcome"
    # Found later: no outcome came. Then, perhaps, what a person found out about it.
    UNKNOWN = "unknown"
    RESOLUTION = "resolution"
    # A console action is one row.
    EVENT = "event"


class TokenIdentity(models.Model):
    """The public half of a token, as every record names it."""

    env = models.CharField("environment", max_length=4, help_text="live or test")
    prefix = models.CharField(max_length=PREFIX_LENGTH, help_text="The public part of the token.")

    class Meta:
        abstract = True

    @property
    def masked_token(self) -> str:
        """The token as people may see it: `hsk_live_4f8a2c1bdedf_••••`."""
        return f"hsk_{self.env}_{self.prefix}_••••"


class CallFacts(TokenIdentity):
    """Who called what, from where: the facts that activity and audit rows share."""

    org_id = models.CharField("workspace", max_length=64, help_text="Hoursmith's id of the workspace.")
    call_id = models.UUIDField(help_text="One tool call; intent, outcome and activity of it share this id.")
    at = models.DateTimeField(help_text="When the bridge took the call (UTC).")
    tool = models.CharField(max_length=64)
    kind = models.CharField(max_length=11, choices=Kind)
    target_type = models.CharField(max_length=32, blank=True, help_text="client, project, task …")
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=200, blank=True, help_text="What the record was called then.")
    arguments = models.JSONField(default=dict, help_text="As the assistant sent them, redacted and shortened.")
    token_name = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=16, blank=True)
    client_name = models.CharField("assistant", max_length=120, blank=True, help_text="Self-reported.")
    client_version = models.CharField(max_length=60, blank=True)
    connection = models.CharField(max_length=40, blank=True, help_text="The id in /mcp/c/<connection>.")
    protocol = models.CharField(max_length=16, blank=True, help_text="MCP revision, such as 2026-07-28.")
    transport = models.CharField(max_length=8, default="http", help_text="http or stdio")
    address = models.CharField(max_length=45, blank=True, help_text="Where the request came from.")
    request_id = models.CharField(max_length=36, blank=True)

    class Meta:
        abstract = True


class ToolCall(CallFacts):
    """One tool call of any kind, written in batches after it ended."""

    result = models.CharField(max_length=9, choices=Result)
    status = models.PositiveSmallIntegerField(help_text="HTTP status of Hoursmith's answer, or what stands for it.")
    code = models.CharField(max_length=40, blank=True, help_text="The error's code, empty where there was none.")
    duration_ms = models.FloatField()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["org_id", "-at", "-id"], name="toolcall_org_at"),
            models.Index(fields=["org_id", "prefix", "-at", "-id"], name="toolcall_org_prefix_at"),
            models.Index(fields=["call_id"], name="toolcall_call"),
            models.Index(fields=["org_id", "tool", "-at", "-id"], name="toolcall_org_tool_at"),
            models.Index(fields=["org_id", "client_name", "-at", "-id"], name="toolcall_org_client_at"),
            # Partial ones cost nothing for the rows outside them. Their conditions must be said in the query, too.
            models.Index(
                fields=["org_id", "kind", "-at", "-id"], name="toolcall_org_kind_at", condition=~models.Q(kind="read")
            ),
            models.Index(
                fields=["org_id", "result", "-at", "-id"],
                name="toolcall_org_result_at",
                condition=~models.Q(result="succeeded"),
            ),
            # Ids of records and connections are unique beyond workspaces, so the workspace need not come first.
            models.Index(
                fields=["target_id", "-at", "-id"], name="toolcall_target_at", condition=models.Q(target_id__gt="")
            ),
            models.Index(
                fields=["connection", "-at", "-id"],
                name="toolcall_connection_at",
                condition=models.Q(connection__gt=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} at {self.at:%Y-%m-%d %H:%M:%S}"


class AuditEvent(CallFacts):
    """One link of a workspace's audit chain: half of a destructive call, or a console action.

    Written by `mcpbridge.audit` alone; the database refuses to change or remove it. `docs/audit-format.md` says how
    `hash` is made, which covers every other column.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    phase = models.CharField(max_length=10, choices=Phase)
    recorded_at = models.DateTimeField(help_text="When this row was made (UTC).")
    org_name = models.CharField(max_length=200, blank=True)
    snapshot = models.JSONField(null=True, help_text="The record as it was just before, read with the caller's token.")
    snapshot_fault = models.CharField(max_length=40, blank=True, help_text="Why there is no snapshot.")
    result = models.CharField(max_length=9, choices=Result, blank=True, help_text="Empty on an intent.")
    status = models.PositiveSmallIntegerField(null=True)
    code = models.CharField(max_length=40, blank=True)
    duration_ms = models.FloatField(null=True)
    actor = models.CharField(max_length=200, blank=True, help_text="The person, where a person did it in the console.")
    note = models.CharField(max_length=1000, blank=True, help_text="What that person wrote about it.")
    sequence = models.PositiveBigIntegerField(editable=False, help_text="The row's place in its workspace's chain.")
    previous_hash = models.CharField(max_length=64, editable=False)
    hash = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["-recorded_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["call_id", "phase"], name="audit_one_row_a_phase"),
            models.UniqueConstraint(fields=["org_id", "sequence"], name="audit_one_place_a_row"),
        ]
        indexes = [
            models.Index(fields=["org_id", "-recorded_at", "-id"], name="audit_org_recorded"),
            models.Index(fields=["org_id", "prefix", "-recorded_at", "-id"], name="audit_org_prefix_recorded"),
            models.Index(fields=["org_id", "phase", "-recorded_at", "-id"], name="audit_org_phase_recorded"),
            models.Index(fields=["org_id", "tool", "-recorded_at", "-id"], name="audit_org_tool_recorded"),
            models.Index(fields=["org_id", "client_name", "-recorded_at", "-id"], name="audit_org_client_recorded"),
            models.Index(
                fields=["target_id", "-recorded_at", "-id"],
                name="audit_target_recorded",
                condition=models.Q(target_id__gt=""),
            ),
            models.Index(
                fields=["connection", "-recorded_at", "-id"],
                name="audit_connection_recorded",
                condition=models.Q(connection__gt=""),
            ),
            # Small, since few rows are in it. It names the result once more because SQLite takes it only then.
            models.Index(
                fields=["org_id", "result", "-recorded_at", "-id"],
                name="audit_org_unknown",
                condition=models.Q(result="unknown"),
            ),
            # As small. Each of its conditions, alone, lets a query use it.
            models.Index(
                fields=["org_id", "-recorded_at", "-id"],
                name="audit_org_in_doubt",
                condition=models.Q(result="unknown") | models.Q(result="failed") | models.Q(phase="unknown"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.phase} at {self.recorded_at:%Y-%m-%d %H:%M:%S}"


class SignedHead(models.Model):
    """Where a workspace's chain stood at an instant, signed. What a copy of the chain must agree with."""

    org_id = models.CharField("workspace", max_length=64)
    sequence = models.PositiveBigIntegerField(help_text="The last row's place; 0 where there was none yet.")
    hash = models.CharField(max_length=64, help_text="The last row's hash.")
    at = models.DateTimeField()
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=88, help_text="Ed25519, base64.")

    class Meta:
        abstract = True


class SigningHead(SignedHead):
    """A checkpoint."""

    reason = models.CharField(max_length=10, help_text="rows, time, shutdown, prune, demand")

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


class SeenToken(TokenIdentity):
    """A token that Hoursmith accepted through the bridge. A stranger's guess never makes one."""

    org_id = models.CharField("workspace", max_length=64, db_index=True)
    org_name = models.CharField(max_length=200, blank=True)
    token_name = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=16, blank=True)
    plan = models.CharField(max_length=16, blank=True)
    scopes = models.JSONField(default=list)
    first_used_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    last_tool = models.CharField(max_length=64, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    calls_read = models.PositiveBigIntegerField(default=0)
    calls_write = models.PositiveBigIntegerField(default=0)
    calls_destructive = models.PositiveBigIntegerField(default=0)
    calls_refused = models.PositiveBigIntegerField(default=0, help_text="Of all kinds, refused or failed.")

    class Meta:
        ordering = ["-last_used_at"]
        constraints = [models.UniqueConstraint(fields=["env", "prefix"], name="seen_token_once")]

    def __str__(self) -> str:
        return self.token_name or self.masked_token

    @property
    def calls(self) -> int:
        """Calls of every kind."""
        return self.calls_read + self.calls_write + self.calls_destructive


class SeenClient(models.Model):
    """An assistant that used a token: what a rotation must update. Its name is what it says of itself."""

    token = models.ForeignKey(SeenToken, on_delete=models.CASCADE, related_name="clients")
    name = models.CharField(max_length=120)
    version = models.CharField(max_length=60, blank=True)
    connection = models.CharField(max_length=40, blank=True)
    protocol = models.CharField(max_length=16, blank=True)
    transport = models.CharField(max_length=8, default="http")
    address = models.CharField(max_length=45, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(fields=["token", "name", "version", "connection"], name="seen_client_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class CallHour(TokenIdentity):
    """How many calls ended in one hour: of one token, or without a prefix of the whole workspace.

    Kept by the activity recorder beside its rows, so that no chart ever counts those. A refused or failed call counts
    as such alone, whatever its kind.
    """

    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    org_id = models.CharField("workspace", max_length=64)
    hour = models.IntegerField(db_index=True, help_text="Hours since 1970 (UTC).")
    calls_read = models.PositiveBigIntegerField(default=0)
    calls_write = models.PositiveBigIntegerField(default=0)
    calls_destructive = models.PositiveBigIntegerField(default=0)
    calls_refused = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-hour"]
        constraints = [
            models.UniqueConstraint(fields=["org_id", "prefix", "env", "hour"], name="calls_of_an_hour_once")
        ]
        indexes = [
            models.Index(
                fields=["org_id", "hour"], name="call_hour_destructive", condition=models.Q(calls_destructive__gt=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.masked_token if self.prefix else self.org_id} in hour {self.hour}"


class TokenTool(models.Model):
    """How often a token called one tool."""

    token = models.ForeignKey(SeenToken, on_delete=models.CASCADE, related_name="tools")
    tool = models.CharField(max_length=64)
    calls = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0, help_text="Of these, refused or failed.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-calls"]
        constraints = [models.UniqueConstraint(fields=["token", "tool"], name="token_tool_once")]
        indexes = [models.Index(fields=["tool", "-first_at"], name="token_tool_first")]

    def __str__(self) -> str:
        return self.tool


class TokenNetwork(models.Model):
    """A network from which a token was used: its address cut to /24, or to /48 for IPv6."""

    token = models.ForeignKey(SeenToken, on_delete=models.CASCADE, related_name="networks")
    network = models.CharField(max_length=45)
    calls = models.PositiveBigIntegerField(default=0)
    first_at = models.DateTimeField(db_index=True)
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_at"]
        constraints = [models.UniqueConstraint(fields=["token", "network"], name="token_network_once")]

    def __str__(self) -> str:
        return self.network


class TokenBlock(TokenIdentity):
    """A token that an admin stopped at the bridge. Lifting marks the row; the record must still name it later."""

    org_id = models.CharField("workspace", max_length=64, db_index=True)
    reason = models.CharField(max_length=200, blank=True)
    blocked_at = models.DateTimeField()
    blocked_by = models.CharField(max_length=200)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-blocked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["env", "prefix"], condition=models.Q(lifted_at=None), name="one_block_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.masked_token


class Freeze(TokenIdentity):
    """The five destructive tools are refused: to one token, or without a prefix to all of the workspace's."""

    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    org_id = models.CharField("workspace", max_length=64, db_index=True)
    reason = models.CharField(max_length=200, blank=True)
    frozen_at = models.DateTimeField()
    frozen_by = models.CharField(max_length=200)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-frozen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "env", "prefix"], condition=models.Q(lifted_at=None), name="one_freeze_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.masked_token if self.prefix else self.org_id


class SnapshotStop(models.Model):
    """A workspace that wants no snapshots of what is destroyed. Lifting marks the row."""

    org_id = models.CharField("workspace", max_length=64)
    stopped_at = models.DateTimeField()
    stopped_by = models.CharField(max_length=200)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-stopped_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["org_id"], condition=models.Q(lifted_at=None), name="one_snapshot_stop_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.org_id


class AnsweredIn(models.TextChoices):
    """Where a person's consent counts."""

    CLIENT = "client", "in the assistant"
    CONSOLE = "console", "in the console"


class Decision(models.TextChoices):
    """What became of a request for consent; empty while it waits."""

    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired", "nobody answered"


class ApprovalRule(models.Model):
    """Which destructive calls of a workspace wait for a person. One that chooses nothing lets all of them through."""

    org_id = models.CharField("workspace", max_length=64, unique=True)
    tools = models.JSONField(default=list)
    tokens = models.JSONField(default=list, help_text="Each as env_prefix.")
    hourly_limit = models.PositiveIntegerField(null=True, help_text="Destructive calls of one token, in an hour.")
    answered_in = models.CharField(max_length=7, choices=AnsweredIn, default=AnsweredIn.CONSOLE)
    holds_s = models.PositiveSmallIntegerField(default=45, help_text="How long a call is held for an answer.")
    lasts_s = models.PositiveIntegerField(default=900, help_text="How long a request stands, and then a consent.")

    def __str__(self) -> str:
        return self.org_id


class ApprovalRequest(TokenIdentity):
    """One destructive call that waits for a person, or waited. Consent is for this call alone, and for once."""

    org_id = models.CharField("workspace", max_length=64)
    call_id = models.UUIDField(unique=True, help_text="The call that asked first; the request's address.")
    tool = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the arguments: consent is bound to them.")
    arguments = models.JSONField(default=dict, help_text="Redacted and shortened.")
    snapshot = models.JSONField(null=True, help_text="The record as it is; emptied when the request is closed.")
    target_type = models.CharField(max_length=32, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=200, blank=True)
    token_name = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=16, blank=True)
    client_name = models.CharField("assistant", max_length=120, blank=True, help_text="Self-reported.")
    cause = models.CharField(max_length=5, help_text="tool, token or rate")
    answered_in = models.CharField(max_length=7, choices=AnsweredIn)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decision = models.CharField(max_length=8, choices=Decision, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)
    used_at = models.DateTimeField(null=True, help_text="When the call left, on the strength of the consent.")
    closed_at = models.DateTimeField(null=True, help_text="Used, refused, or out of time.")

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["env", "prefix", "tool", "digest"],
                condition=models.Q(closed_at=None),
                name="one_approval_open",
            )
        ]
        indexes = [
            models.Index(fields=["org_id", "-asked_at", "-id"], name="approval_org_asked"),
            models.Index(fields=["env", "prefix", "tool", "digest", "-id"], name="approval_call"),
            models.Index(fields=["org_id", "expires_at"], name="approval_open", condition=models.Q(closed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.target_label or self.target_id}"


class TokenNotice(TokenIdentity):
    """One line that the token's assistants are told with each result, so that they can tell their person."""

    org_id = models.CharField("workspace", max_length=64, db_index=True)
    text = models.CharField(max_length=300)
    is_in_text = models.BooleanField(default=False, help_text="Also as a text block of the result, not in _meta alone.")
    given_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-given_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["env", "prefix"], condition=models.Q(ended_at=None), name="one_notice_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.text


class SeenConnection(TokenIdentity):
    """What the bridge saw of one assistant on one machine: who calls at `/mcp/c/<slug>`.

    Made by the console for its workspace (`mcpbridge.connections`). Only tokens of that workspace are bound to it;
    `env` and `prefix` name the one that was used last. Faults are kept whoever caused them: a label, no evidence.
    """

    slug = models.CharField(max_length=40, unique=True, help_text="The id in the address; not a secret.")
    org_id = models.CharField("workspace", max_length=64, db_index=True)
    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True)
    role = models.CharField(max_length=16, blank=True)
    client_name = models.CharField("assistant", max_length=120, blank=True, help_text="Self-reported.")
    client_version = models.CharField(max_length=60, blank=True)
    protocol = models.CharField(max_length=16, blank=True)
    transport = models.CharField(max_length=8, blank=True)
    address = models.CharField(max_length=45, blank=True)
    first_seen_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True, help_text="The last accepted request of any kind.")
    last_method = models.CharField(max_length=64, blank=True, help_text="The tool, or the MCP method that was no call.")
    called_at = models.DateTimeField(null=True, help_text="The last tool call.")
    last_status = models.PositiveSmallIntegerField(null=True, help_text="Of that call.")
    calls = models.PositiveBigIntegerField(default=0)
    fault = models.CharField(max_length=40, blank=True, help_text="What was wrong with the last refused request.")
    fault_at = models.DateTimeField(null=True)
    fault_env = models.CharField(max_length=4, blank=True)
    fault_prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True, help_text="Where the credential had one.")
    fault_client = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return self.slug


class ActivityLoss(models.Model):
    """Calls that happened but whose activity rows could not be kept, because the database was slow or away."""

    org_id = models.CharField("workspace", max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    calls = models.PositiveIntegerField()

    class Meta:
        ordering = ["-until"]
        indexes = [models.Index(fields=["org_id", "-until"], name="activity_loss_org")]

    def __str__(self) -> str:
        return f"{self.calls} calls not recorded until {self.until:%Y-%m-%d %H:%M:%S}"


class RejectedCredential(models.Model):
    """Attempts that got no further than the door, counted by what was wrong with them. Capped by the recorder."""

    env = models.CharField("environment", max_length=4, blank=True)
    prefix = models.CharField(max_length=PREFIX_LENGTH, blank=True, help_text="Only where the credential had one.")
    fault = models.CharField(max_length=40)
    client_name = models.CharField("assistant", max_length=120, blank=True)
    connection = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=45, blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    attempts = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["env", "prefix", "fault", "client_name", "connection", "address"], name="rejected_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.fault} from {self.address}"
