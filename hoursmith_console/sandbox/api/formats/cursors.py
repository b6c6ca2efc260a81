"""Opaque cursors: the last row of a page, bound to the sort order of the list.

They are signed, so that their values can be trusted. Text goes in as UTF-8, which keeps the longest
cursor under 2,000 characters.
"""

import base64
import json
from typing import Any
from uuid import UUID

from django.core.signing import BadSignature, Signer

from hoursmith_console.sandbox.api.values import ID, InvalidValueError, ValueType

_signer = Signer(salt="sandbox.cursor", sep=".")


def write(sort: str, value_type: ValueType, value: Any, last_id: UUID) -> str:
    """Return the cursor after the row `last_id` with the sort value `value`."""
    plain = None if value is None else value_type.render(value)
    content = json.dumps([sort, plain, str(last_id)], ensure_ascii=False, separators=(",", ":"))
    return _signer.sign(base64.urlsafe_b64encode(content.encode()).decode().rstrip("="))


def read(cursor: str, sort: str, value_type: ValueType) -> tuple[Any, Any]:
    """Return sort value and id of the last row of the page. Raises InvalidValueError."""
    try:
        content = _signer.unsign(cursor)
    except BadSignature:
        raise InvalidValueError("is not a cursor of this list") from None
    written_for, value, last_id = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    if written_for != sort:
        raise InvalidValueError(f"belongs to sort={written_for}")
    return None if value is None else value_type.parse(value), ID.parse(last_id)
