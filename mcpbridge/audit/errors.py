"""Errors of a row that the audit log did not take."""

UNAVAILABLE_CODE = "audit_unavailable"


class AuditUnavailableError(Exception):
    """The audit log cannot be written, so the action must not be done. The text may be shown to the caller."""


class SigningRefusedError(Exception):
    """The audit log must not be signed now. The text may be shown to users."""


class HourlyLimitError(Exception):
    """The token has reached its hourly limit of destructive calls without approval. Nothing was recorded."""
