"""Makes the same rows for many tests: through the product's services once in a process, then by a few INSERTs.

What a test begins with takes some hundred statements to make. Every test takes back what it wrote, so that the next
one would make the very same rows again.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import DateTimeField, Model
from django.db.utils import IntegrityError

Made = TypeVar("Made")
_Rows = dict[type[Model], list[tuple[Any, ...]]]


@dataclass
class _First(Generic[Made]):
    """What was made, the rows that came with it, and when: as they were before any test could change them."""

    value: Made
    rows: _Rows
    at: datetime


@dataclass
class Replayed(Generic[Made]):
    """What `make` returns, a structure with model instances in it, and the rows of the default database behind it.

    Instants are as long ago as they were when `make` ran. `make` may depend on nothing that differs between tests,
    and may not write to any other database.
    """

    make: Callable[[], Made]
    _first: _First[Made] | None = field(default=None, init=False)

    def __call__(self) -> Made:
        """Return it, with its rows written."""
        if connection.vendor != "sqlite":
            # Sequences do not follow keys that are given.
            return self.make()
        if self._first is None:
            return self._make_first()
        try:
            with transaction.atomic():
                return self._again(self._first)
        except IntegrityError:
            # The test has rows of its own with these keys.
            return self.make()

    def _make_first(self) -> Made:
        before = {model: _keys(model) for model in _models()}
        value = self.make()
        made = {model: _keys(model) - keys for model, keys in before.items()}
        rows = {model: _rows(model, keys) for model, keys in made.items() if keys}
        self._first = _First(copy.deepcopy(value), rows, datetime.now(UTC))
        return value

    def _again(self, first: "_First[Made]") -> Made:
        # Not by `timezone.now`, which a test may have replaced by then.
        later = datetime.now(UTC) - first.at
        with connection.cursor() as cursor:
            for model, rows in first.rows.items():
                places = ", ".join(["%s"] * len(model._meta.concrete_fields))
                cursor.executemany(
                    f"INSERT INTO {_table(model)} VALUES ({places})", [_moved(row, later) for row in rows]
                )
        copies: dict[int, Any] = {}
        value = copy.deepcopy(first.value, copies)
        for instance in {id(each): each for each in copies.values() if isinstance(each, Model)}.values():
            for column in instance._meta.concrete_fields:
                if isinstance(column, DateTimeField) and (at := getattr(instance, column.attname)) is not None:
                    setattr(instance, column.attname, at + later)
        return value


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model._meta.managed and model._meta.app_label != "sandbox"]


def _keys(model: type[Model]) -> set[Any]:
    return set(model._base_manager.using(DEFAULT_DB_ALIAS).values_list("pk", flat=True))


def _table(model: type[Model]) -> str:
    """The table with its columns, in the order of the model."""
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(column.column)) for column in model._meta.concrete_fields)
    return f"{quote(model._meta.db_table)} ({columns})"


def _rows(model: type[Model], keys: set[Any]) -> list[tuple[Any, ...]]:
    """The rows with these keys as the database has them."""
    rows = model._base_manager.filter(pk__in=keys).order_by("pk").query
    columns = _table(model).partition(" ")[2].strip("()")
    statement, values = rows.sql_with_params()
    ending = statement[statement.index(" FROM ") :]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}{ending}", values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _moved(row: tuple[Any, ...], later: timedelta) -> tuple[Any, ...]:
    return tuple(value + later if isinstance(value, datetime) else value for value in row)
