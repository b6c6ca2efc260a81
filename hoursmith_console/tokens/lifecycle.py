"""Query conditions: which tokens are revoked, and which are being rotated.

The rotations app registers both at start-up, because apps below it need them.
"""

from collections.abc import Callable

from django.db.models import Exists

Condition = Callable[[], Exists]
_conditions: dict[str, Condition] = {}


def register_lifecycle(*, revoked: Condition, rotating: Condition) -> None:
    """Set what `is_revoked` and `is_rotating` return."""
    _conditions.update(revoked=revoked, rotating=rotating)


def is_revoked() -> Exists:
    """Return the condition that a rotation revoked the token and Hoursmith has not accepted it since."""
    return _conditions["revoked"]()


def is_rotating() -> Exists:
    """Return the condition that a rotation of the token is in progress."""
    return _conditions["rotating"]()
