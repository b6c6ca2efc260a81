"""What a tool result says, read as clients read it."""

import json
from typing import Any


def error_in(result: dict[str, Any]) -> dict[str, Any]:
    """The error that a failed tool call carries: in its text block, and in no structured content."""
    assert result["isError"] is True, result
    # It would break the tool's own output schema, and clients that validate would hide the error.
    assert "structuredContent" not in result, result
    error: dict[str, Any] = json.loads(result["content"][0]["text"])["error"]
    return error
