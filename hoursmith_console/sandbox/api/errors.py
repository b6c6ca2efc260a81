"""Errors of the API (contract section 5).

ApiError
├── BadRequestError        400 bad_request        the request cannot be read
│   ├── MethodError        405 bad_request        no such method here
│   └── TooLargeError      413 bad_request        more than BODY_LIMIT bytes
├── UnauthenticatedError   401 unauthenticated    missing, malformed, unknown or revoked token: the same response
├── PlanError              402 forbidden_plan     the workspace's plan has no API
├── ForbiddenError         403 forbidden_scope    the role or the token lacks this
├── NotFoundError          404 not_found          outside the caller's sight, or not there
├── ConflictError          409 conflict           the record's state forbids it
├── ValidationFaultError   422 validation_error   `fields` lists the errors
├── RateLimitedError       429 rate_limited       `retry_after` seconds
└── InternalError          500 internal           unexpected error, no details
"""

from typing import Any


class ApiError(Exception):
    """An error response."""

    status = 500
    code = "internal"
    message = "An internal error occurred."

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.message)
        self.message = message or self.message

    def body(self) -> dict[str, Any]:
        """Return the error envelope."""
        return {"error": {"code": self.code, "message": self.message, **self.details()}}

    def details(self) -> dict[str, Any]:
        """Return further members of the error object."""
        return {}

    def headers(self) -> dict[str, str]:
        """Return headers of this error."""
        return {}


class InternalError(ApiError):
    pass


class BadRequestError(ApiError):
    status = 400
    code = "bad_request"
    message = "The request cannot be read."


class MethodError(BadRequestError):
    status = 405

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(f"This address takes {', '.join(allowed)} only.")
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class TooLargeError(BadRequestError):
    status = 413
    message = "The body is too large."


class UnauthenticatedError(ApiError):
    status = 401
    code = "unauthenticated"
    message = "Send a valid API token as “Authorization: Bearer hsk_…”."

    def headers(self) -> dict[str, str]:
        # RFC 9110 section 11.6.1 asks for a challenge on every 401.
        return {"WWW-Authenticate": 'Bearer realm="hoursmith"'}


class PlanError(ApiError):
    status = 402
    code = "forbidden_plan"
    message = "API access needs the Studio or Agency plan."

    def details(self) -> dict[str, Any]:
        return {"requiredPlan": "studio", "feature": "apiAccess"}


class ForbiddenError(ApiError):
    status = 403
    code = "forbidden_scope"
    message = "Your role does not allow this."


class NotFoundError(ApiError):
    status = 404
    code = "not_found"
    message = "There is no such record."


class ConflictError(ApiError):
    status = 409
    code = "conflict"
    message = "The record's state does not allow this."


class ValidationFaultError(ApiError):
    status = 422
    code = "validation_error"
    message = "Some fields are invalid."

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__()
        self.fields = fields

    def details(self) -> dict[str, Any]:
        return {"fields": self.fields}


class RateLimitedError(ApiError):
    status = 429
    code = "rate_limited"
    message = "Too many requests. Wait, then try again."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}
