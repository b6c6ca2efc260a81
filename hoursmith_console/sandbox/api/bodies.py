"""Read a request's body: a JSON object of bounded size, or nothing."""

import json
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, UnreadablePostError

from hoursmith_console.sandbox.api.errors import BadRequestError, TooLargeError

BODY_LIMIT = 1024 * 1024


def read_body(request: HttpRequest) -> dict[str, Any]:
    """Return the body's object, empty if there is no body. Raises BadRequestError.

    Numbers with a fraction are Decimal, so that money stays exact.
    """
    try:
        raw = request.read(BODY_LIMIT + 1)
    except UnreadablePostError:
        raise BadRequestError("The body is incomplete.") from None
    if len(raw) > BODY_LIMIT:
        raise TooLargeError(f"The body has more than {BODY_LIMIT} bytes.")
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise BadRequestError("Send the body as application/json.")
    try:
        body = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        # Includes invalid UTF-8, NaN and Infinity, and numbers too long to parse.
        raise BadRequestError("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadRequestError("The body must be a JSON object.")
    return body


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
