"""Handle a request, in the contract's order of checks (section 5).

    token, or the address's limit for bad ones   401 · 429
    plan                                         402
    the token's rate limit                       429
    address and method                           404 · 405
    role and scope                               403
    body, parameters, key                        400 · 422
    a key used before                            the first response again · 409
    the operation itself                         422 · 404 · 409

Every response is JSON in the contract's envelope and carries X-RateLimit-*.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from hoursmith_console.sandbox.api import idempotency, limits
from hoursmith_console.sandbox.api.auth_context import AuthContext
from hoursmith_console.sandbox.api.bodies import read_body
from hoursmith_console.sandbox.api.errors import (
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InternalError,
    MethodError,
    NotFoundError,
    PlanError,
    UnauthenticatedError,
    ValidationFaultError,
)
from hoursmith_console.sandbox.api.fields import parse_body
from hoursmith_console.sandbox.api.lists import read_query, refuse_query
from hoursmith_console.sandbox.api.operations import Operation, Page, RequestContext, Shape
from hoursmith_console.sandbox.api.tokens import authenticate
from hoursmith_console.sandbox.api.values import InvalidValueError, Text
from hoursmith_console.sandbox.models import IdempotencyRecord, Scope, Token

logger = logging.getLogger(__name__)

KEY = Text(255, minimum=1)


@dataclass(frozen=True)
class ApiResponse:
    """Status, JSON text and headers of a response."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """The API over `operations`, counting time by `clock` (Unix seconds)."""

    def __init__(self, operations: Sequence[Operation], *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: timezone.now().timestamp())
        self._routes: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            self._routes.setdefault(operation.path, {})[operation.method] = operation

    def urls(self) -> list[URLPattern]:
        """Return a URL pattern for each path, and one that responds 404 to any other."""
        patterns = [
            path(f"v1{route.replace('{id}', '<str:segment>')}", self._view(methods))
            for route, methods in self._routes.items()
        ]
        return [*patterns, re_path(r"\A[\s\S]*\Z", self._view({}))]

    def _view(self, methods: Mapping[str, Operation]) -> Callable[..., HttpResponseBase]:
        @csrf_exempt
        def view(request: HttpRequest, segment: str = "") -> HttpResponse:
            exchange = RequestHandler(request, segment, self._clock())
            return exchange.respond(methods)

        return view


class RequestHandler:
    """Handle one request. `allowance` fills the rate limit headers of the response."""

    def __init__(self, request: HttpRequest, segment: str, now: float) -> None:
        self._request = request
        self._segment = segment
        self._now = now
        self._allowance = limits.untouched(limits.BAD_TOKENS, now)

    def respond(self, methods: Mapping[str, Operation]) -> HttpResponse:
        """Return the response, also for unexpected errors."""
        try:
            response = self._serve(methods)
        except ApiError as error:
            response = _refusal(error)
        except SuspiciousOperation:
            # Django's own limits, such as the number of query parameters.
            response = _refusal(BadRequestError())
        except IntegrityError:
            # A concurrent request violated a unique constraint.
            response = _refusal(ConflictError())
        except Exception:
            # The traceback contains only code, neither headers nor bodies.
            logger.exception("%s %s failed", self._request.method, self._request.path)
            response = _refusal(InternalError())
        return self._response(response)

    def _response(self, answer: ApiResponse) -> HttpResponse:
        response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
        for name, value in {**self._allowance.headers(), "Cache-Control": "no-store", **answer.headers}.items():
            response[name] = value
        if answer.status == 204:
            del response["Content-Type"]
        if self._request.method == "HEAD":
            response["Content-Length"] = str(len(response.content))
            response.content = b""
        return response

    def _serve(self, methods: Mapping[str, Operation]) -> ApiResponse:
        auth = self._caller()
        self._check_plan_and_limit(auth)
        if not methods:
            raise NotFoundError("There is no such path in this API.")
        operation = methods.get("GET" if self._request.method == "HEAD" else str(self._request.method))
        if operation is None:
            raise MethodError(sorted(methods))
        context = RequestContext(auth, _instant(self._now), self._segment)
        _check_permissions(operation, context)
        key, body = self._read(operation, context)
        if key is None:
            return _carry_out(operation, context, None)
        return self._once(operation, context, key, body)

    def _caller(self) -> AuthContext:
        try:
            return authenticate(self._request.headers.get("Authorization", ""))
        except UnauthenticatedError:
            # Counted only for bad tokens, so that one client's bad token does not lock out others at the same address.
            self._spend(f"address:{self._request.META.get('REMOTE_ADDR')}"[:80], limits.BAD_TOKENS)
            raise

    def _check_plan_and_limit(self, auth: AuthContext) -> None:
        windows = limits.PLANS.get(auth.org.plan)
        if windows is None:
            self._allowance = limits.nothing_left(self._now)
            raise PlanError
        self._spend(f"token:{auth.token.pk}", windows)

    def _spend(self, subject: str, windows: tuple[limits.Window, limits.Window]) -> None:
        if not settings.SANDBOX_RATE_LIMITS:
            self._allowance = limits.untouched(windows, self._now)
            return
        try:
            self._allowance = limits.spend(subject, windows, self._now)
        except limits.OverLimitError as error:
            self._allowance = error.allowance
            raise

    def _read(self, operation: Operation, context: RequestContext) -> tuple[str | None, dict[str, Any]]:
        """Check key, parameters and body and put their values into `context`. Return the key and the raw body."""
        request = self._request
        if operation.listing is not None:
            context.query = read_query(operation.listing, request.GET, ignored=operation.ignores(context.auth))
        else:
            refuse_query(request.GET)
        if operation.fields is None:
            return None, {}
        faults: dict[str, str] = {}
        body = read_body(request)
        try:
            context.values = parse_body(body, operation.fields, creating=operation.creates)
        except ValidationFaultError as error:
            faults.update(error.fields)
        key = request.headers.get("Idempotency-Key", "") if operation.method == "POST" else None
        try:
            if key is not None:
                KEY.parse(key)
        except InvalidValueError as error:
            faults["Idempotency-Key"] = str(error)
        if faults:
            raise ValidationFaultError(faults)
        return key, body

    def _once(self, operation: Operation, context: RequestContext, key: str, body: dict[str, Any]) -> ApiResponse:
        path = operation.path
        if "{id}" in path:
            path = path.replace("{id}", str(context.record_id))
        place = f"{operation.method} {path}"
        token = context.auth.token
        record = idempotency.claim(token=token, path=place, key=key, body=body, now=context.now)
        if record.status is not None:
            return ApiResponse(record.status, record.body, {"Idempotent-Replayed": "true"})
        try:
            return _carry_out(operation, context, record)
        except BaseException:
            idempotency.release(record)
            raise


def _check_permissions(operation: Operation, context: RequestContext) -> None:
    if context.auth.role not in operation.roles:
        raise ForbiddenError
    if not context.auth.has(Scope.WRITE if operation.writes else Scope.READ):
        raise ForbiddenError("The token's scopes do not allow this.")
    if operation.forbids is not None:
        # A missing record is reported later, after errors in the body.
        with suppress(NotFoundError):
            operation.forbids(context)


def _carry_out(operation: Operation, context: RequestContext, record: IdempotencyRecord | None) -> ApiResponse:
    """Run the operation; a write and its stored response share one transaction."""
    if not operation.writes:
        return ApiResponse(operation.status, _success(operation.run(context)))
    with transaction.atomic(using=router.db_for_write(Token)):
        result = operation.run(context)
        body = "" if operation.shape is Shape.NOTHING else _success(result)
        if record is not None:
            idempotency.finish(record, status=operation.status, body=body)
    return ApiResponse(operation.status, body)


def _success(result: Any) -> str:
    if isinstance(result, Page):
        pagination = {"nextCursor": result.next_cursor, "limit": result.limit}
        return _json({"data": result.data, "pagination": pagination})
    return _json({"data": result})


def _refusal(error: ApiError) -> ApiResponse:
    return ApiResponse(error.status, _json(error.body()), error.headers())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _instant(now: float) -> datetime:
    """Return whole milliseconds, as responses show them, so that a returned instant can be queried."""
    return datetime.fromtimestamp(int(now * 1000) / 1000, UTC)
