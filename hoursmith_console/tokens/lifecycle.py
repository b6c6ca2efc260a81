"""Which tokens are retired, and which are being rotated, as conditions for queries of the bridge's token rows.

The rotations app knows, and stands above the apps that ask. So it registers both conditions when it starts.
"""

from collections.abc import Callable

from django.db.models import Exists

Condition = Callable[[], Exists]
_conditions: dict[str, Condition] = {}


def register_lifecycle(*, retired: Condition, rotating: Condition) -> None:
    """Set what `is_retired` and `is_rotating` return."""
    _conditions.update(retired=retired, rotating=rotating)


def is_retired() -> Exists:
    """Return the condition that a token was revoked in a rotation, and not accepted since."""
    return _conditions["retired"]()


def is_rotating() -> Exists:
    """Return the condition that a rotation of the token is under way."""
    return _conditions["rotating"]()
