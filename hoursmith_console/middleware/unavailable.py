"""Respond 503 if the audit log or the database is unavailable.

Views and middleware do not catch such errors. `Unavailable` handles those of views, `request_id.server_error` those of
middleware, which Django handles as unexpected errors.
"""

import logging

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.deprecation import MiddlewareMixin

from mcpbridge.audit.errors import AuditUnavailableError

logger = logging.getLogger(__name__)

# Read-only (an InternalError in PostgreSQL), full, locked, restarting or gone. Errors of our own are others.
_ERRORS = (AuditUnavailableError, OperationalError, InternalError, InterfaceError)
_RETRY_AFTER_S = 5


class Unavailable(MiddlewareMixin):
    """Handle such errors of views."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the 503 page; None if `error` is of another kind."""
        return unavailable_page(request, error)


def unavailable_page(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """Return the 503 page for `error`; None if it is not from the database or the audit log."""
    if not isinstance(error, _ERRORS):
        return None
    is_ours = isinstance(error, AuditUnavailableError)
    # One line for each page: a traceback would say no more. The audit log's writer has already logged its error.
    cause = "" if is_ours else f" {type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
    logger.error("Unavailable: %s %s%s", request.method, request.path, cause)
    # Without context processors, which may query the database that failed.
    is_safe = request.method in ("GET", "HEAD", "OPTIONS")
    # The audit log's error says what was done nevertheless, if anything.
    page = loader.get_template("503.html").render({"is_safe": is_safe, "text": str(error) if is_ours else ""})
    response = HttpResponse(page, status=503, headers={"Retry-After": str(_RETRY_AFTER_S)})
    if getattr(request, "htmx", False) and request.method == "POST":
        # A polled fragment keeps its content; a submitted form shows the error.
        response["HX-Retarget"], response["HX-Reswap"] = "body", "innerHTML"
    return response
