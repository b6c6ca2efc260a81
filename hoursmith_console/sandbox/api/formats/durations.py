"""Parse durations such as `1h30m`, `1:30`, `90m`, `1.5h`."""

import re
from decimal import Decimal

from hoursmith_console.sandbox.api.values import InvalidValueError, Schema, ValueType

LONGEST_S = 366 * 24 * 3600

_SHAPE = r"(?:[0-9]{1,4}:[0-5][0-9]|[0-9]{1,4}(?:\.[0-9]{1,2})?h|[0-9]{1,4}h[0-9]{1,2}m|[0-9]{1,5}m)"
_CLOCK = re.compile(r"(\d+):(\d+)", re.ASCII)
_UNITS = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+)m)?", re.ASCII)


class Duration(ValueType):
    """A duration as text; its Python value is whole seconds."""

    def parse(self, value: object) -> int:
        if not isinstance(value, str) or not re.fullmatch(_SHAPE, value):
            raise InvalidValueError("must be a duration such as 1h30m, 1:30, 90m or 1.5h")
        match = _CLOCK.fullmatch(value) or _UNITS.fullmatch(value)
        hours, minutes = match.groups() if match else (None, None)
        seconds = int(Decimal(hours or 0) * 3600) + int(minutes or 0) * 60
        if seconds > LONGEST_S:
            raise InvalidValueError("must be at most 366 days")
        return seconds

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{_SHAPE}$", "examples": ["1h30m", "1:30", "90m", "1.5h"]}
