"""The cache that the workers share counts of attempts in: it says so where it cannot be written.

Django's own takes a database that refuses for a key that is there already. So a sign-in answered "too many attempts",
and a correct code counted as used, while nothing but the database was at fault.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import DatabaseError, IntegrityError, OperationalError, connections, router


class CountingCache(DatabaseCache):
    """Raises DatabaseError where a value could not be written."""

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        with self._heard() as heard:
            heard.is_taken = bool(super().add(key, value, timeout, version))
        return heard.is_taken

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        with self._heard():
            super().set(key, value, timeout, version)

    @contextmanager
    def _heard(self) -> "Iterator[_Heard]":
        heard = _Heard()
        with connections[router.db_for_write(self.cache_model_class)].execute_wrapper(heard):
            yield heard
        if heard.error is not None:
            raise heard.error
        if heard.has_written and not heard.is_taken:
            # Every statement went through, and the commit did not.
            raise OperationalError("The shared counts cannot be written.")


class _Heard:
    """What became of the statements."""

    def __init__(self) -> None:
        self.error: DatabaseError | None = None
        self.has_written = False
        self.is_taken = True

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        try:
            result = execute(sql, params, many, context)
        except IntegrityError:
            # Another worker was first.
            raise
        except DatabaseError as error:
            self.error = error
            raise
        self.has_written = self.has_written or sql.startswith(("INSERT", "UPDATE"))
        return result
