"""Answers 503 wherever the audit log or the database cannot be written (or not even read) at the moment.

The one place for it: views and middlewares let such errors pass. `Unavailable` takes those of views, and `server_error`
in `request_ids` those of middlewares, which Django turns into its answer to an unexpected fault.
"""

import logging

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.deprecation import MiddlewareMixin

from mcpbridge.audit.errors import AuditUnavailableError

logger = logging.getLogger(__name__)

# Read-only (which PostgreSQL calls an internal error), full, locked, restarting, gone. Faults of ours are others.
_ERRORS = (AuditUnavailableError, OperationalError, InternalError, InterfaceError)
_RETRY_AFTER_S = 5


class Unavailable(MiddlewareMixin):
    """Answers for views."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page that says so, None where `error` is something else."""
        return unavailable_page(request, error)


def unavailable_page(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """Return the page for `error`; None where it is not one of the database or the audit log."""
    if not isinstance(error, _ERRORS):
        return None
    is_ours = isinstance(error, AuditUnavailableError)
    # The audit log's writer has said already what is wrong.
    logger.error("Unavailable: %s %s", request.method, request.path, exc_info=None if is_ours else error)
    # Without the request's context, which may ask the very database that failed.
    is_safe = request.method in ("GET", "HEAD", "OPTIONS")
    # The text of the audit log's error says what was done nevertheless, where something was.
    page = loader.get_template("503.html").render({"is_safe": is_safe, "text": str(error) if is_ours else ""})
    response = HttpResponse(page, status=503, headers={"Retry-After": str(_RETRY_AFTER_S)})
    if getattr(request, "htmx", False) and request.method == "POST":
        # What asks by itself, again and again, keeps what it shows; who pressed a button is told.
        response["HX-Retarget"], response["HX-Reswap"] = "body", "innerHTML"
    return response
