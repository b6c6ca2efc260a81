"""Why the audit log refused a row."""

UNAVAILABLE_CODE = "audit_unavailable"


class AuditUnavailableError(Exception):
    """The record could not be written, so the call must not be sent. The text is fit for the caller."""


class HourlyLimitError(Exception):
    """The token has had as many destructive calls within the last hour as may pass unasked. Nothing was recorded."""
