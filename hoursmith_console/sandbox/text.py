"""Case-insensitive search for every alphabet, on both databases."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func

_FUNCTION = "sandbox_casefold"


class Fold(Func):
    """Case-fold a text for comparison."""

    function = "LOWER"
    arity = 1
    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function=_FUNCTION, **extra)


def register_casefold(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Register Unicode case folding on a new SQLite connection, whose LOWER and LIKE only handle ASCII."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(_FUNCTION, 1, _casefold, deterministic=True)


def _casefold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
