"""Cache of rate limit counts shared by all workers; raises an error if it cannot be written.

Django's DatabaseCache treats a failed write like an existing key. A sign-in would then fail with "too many attempts",
and a correct code would count as used, although only the database is at fault.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import DatabaseError, IntegrityError, OperationalError, connections, router


class CountingCache(DatabaseCache):
    """DatabaseCache that raises DatabaseError if a value could not be written."""

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        with self._watch() as watch:
            watch.is_taken = bool(super().add(key, value, timeout, version))
        return watch.is_taken

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        with self._watch():
            super().set(key, value, timeout, version)

    @contextmanager
    def _watch(self) -> "Iterator[_WriteWatch]":
        watch = _WriteWatch()
        with connections[router.db_for_write(self.cache_model_class)].execute_wrapper(watch):
            yield watch
        if watch.error is not None:
            raise watch.error
        if watch.has_written and not watch.is_taken:
            # All statements succeeded, but the commit did not.
            raise OperationalError("The rate limit counts cannot be written.")


class _WriteWatch:
    """Watch the statements of one cache operation."""

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
