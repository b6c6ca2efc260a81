"""Say in a few plain words why the database refuses."""

import errno

# PostgreSQL: https://www.postgresql.org/docs/current/errcodes-appendix.html. SQLite says it in words only.
_SQLSTATES = {"53100": "the disk is full", "25006": "the database is read-only", "57P03": "the database is starting"}
_WORDS = {
    "disk is full": "the disk is full",
    "readonly database": "the database is read-only",
    "disk i/o error": "the disk fails",
    "is locked": "the database is locked",
}


def plain_reason(error: BaseException) -> str:
    """Return the reason of a database or operating system error in plain words; else the name of its class."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return "the disk is full"
        if known := _SQLSTATES.get(getattr(cause, "sqlstate", None) or ""):
            return known
        cause = cause.__cause__
    text = str(error).lower()
    return next((reason for words, reason in _WORDS.items() if words in text), type(error).__name__)
