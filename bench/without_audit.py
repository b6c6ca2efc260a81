"""The bridge without its audit record, so that the price of the record can be measured. For the bench alone.

There is no such setting in the product: `bench.without_audit_settings` replaces the product's tools by these.
"""

from typing import Any

from mcpbridge.audit.writer import AuditWriter
from mcpbridge.calls.service import ToolCallService
from mcpbridge.core.types import Call, CallResult
from mcpbridge.protocol.server import HoursmithTools


class _NoRecord(AuditWriter):
    """Says at once that a row is kept, and keeps none."""

    def __init__(self) -> None:
        super().__init__(timeout_s=1.0, lock_path=None)

    async def intent(
        self, call: Call, *, snapshot: Any | None, snapshot_fault: str = "", hourly_limit: int | None = None
    ) -> None:
        """Nothing."""

    async def outcome(self, call: Call, call_result: CallResult) -> bool:
        """Nothing."""
        return True


class UnrecordedTools(HoursmithTools):
    """The product's tools; everything else about a call is as ever."""

    def __init__(self, calls: ToolCallService) -> None:
        calls._audit = _NoRecord()
        super().__init__(calls)
