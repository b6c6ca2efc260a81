"""Read the primary keys that forms and addresses carry."""

import re

_KEY = re.compile("[0-9]{1,19}")
_HIGHEST = 2**63 - 1


def key_from(text: str) -> int | None:
    """Return the key of a row that `text` is, 1 to 2⁶³ − 1 in ASCII digits; None where it is none.

    `str.isdigit` is no check for it: `²` is a digit, and `int` refuses more than 4,300 of them.
    """
    key = int(text) if _KEY.fullmatch(text) else 0
    return key if 0 < key <= _HIGHEST else None
