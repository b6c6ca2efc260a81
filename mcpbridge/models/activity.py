"""The activity log: finished tool calls, and the number of calls that could not be stored."""

from django.db import models

from mcpbridge.models.enums import CallKind, Result
from mcpbridge.models.token_ref import TokenIdentity
from mcpbridge.redaction.fields import MaskedCharField, MaskedJSONField


class CallFacts(TokenIdentity):
    """Columns that activity and audit rows share: caller, tool, target and arguments."""

    org_id = MaskedCharField("workspace", max_length=64, help_text="The workspace's id at Hoursmith.")
    call_id = models.UUIDField(help_text="The id of the call, shared by its intent, outcome and activity row.")
    at = models.DateTimeField(help_text="When the bridge received the call (UTC).")
    tool = MaskedCharField(max_length=64)
    kind = models.CharField(max_length=11, choices=CallKind)
    target_type = MaskedCharField(max_length=32, blank=True, help_text="client, project, task …")
    target_id = MaskedCharField(max_length=64, blank=True)
    target_label = MaskedCharField(max_length=200, blank=True, help_text="The name of the record at that time.")
    arguments = MaskedJSONField(default=dict, help_text="As the assistant sent them, masked and shortened.")
    token_name = MaskedCharField(max_length=200, blank=True)
    role = MaskedCharField(max_length=16, blank=True)
    client_name = MaskedCharField("assistant", max_length=120, blank=True, help_text="Self-reported.")
    client_version = MaskedCharField(max_length=60, blank=True)
    connection = MaskedCharField(max_length=40, blank=True, help_text="The id in /mcp/c/<connection>.")
    protocol = MaskedCharField(max_length=16, blank=True, help_text="MCP revision, such as 2026-07-28.")
    transport = MaskedCharField(max_length=8, default="http", help_text="http or stdio")
    address = MaskedCharField(max_length=45, blank=True, help_text="Where the request came from.")
    request_id = MaskedCharField(max_length=36, blank=True)

    class Meta:
        abstract = True


class ToolCall(CallFacts):
    """One tool call of any kind, written in batches after it ended."""

    result = models.CharField(max_length=9, choices=Result)
    status = models.PositiveSmallIntegerField(help_text="HTTP status of Hoursmith's answer, or its equivalent.")
    code = MaskedCharField(max_length=40, blank=True, help_text="The error code, or empty.")
    duration_ms = models.FloatField()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["org_id", "-at", "-id"], name="toolcall_org_at"),
            models.Index(fields=["org_id", "prefix", "-at", "-id"], name="toolcall_org_prefix_at"),
            models.Index(fields=["call_id"], name="toolcall_call"),
            models.Index(fields=["org_id", "tool", "-at", "-id"], name="toolcall_org_tool_at"),
            models.Index(fields=["org_id", "client_name", "-at", "-id"], name="toolcall_org_client_at"),
            # Partial indexes cost nothing for other rows. Queries must repeat their conditions.
            models.Index(
                fields=["org_id", "kind", "-at", "-id"], name="toolcall_org_kind_at", condition=~models.Q(kind="read")
            ),
            models.Index(
                fields=["org_id", "result", "-at", "-id"],
                name="toolcall_org_result_at",
                condition=~models.Q(result="succeeded"),
            ),
            # Ids of records and connections are unique across workspaces, so the workspace is not needed.
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


class ActivityLoss(models.Model):
    """Calls without an activity row, because the database was unavailable or a process was killed."""

    org_id = MaskedCharField("workspace", max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    calls = models.PositiveIntegerField()

    class Meta:
        ordering = ["-until"]
        indexes = [models.Index(fields=["org_id", "-until"], name="activity_loss_org")]

    def __str__(self) -> str:
        return f"{self.calls} calls not recorded until {self.until:%Y-%m-%d %H:%M:%S}"
