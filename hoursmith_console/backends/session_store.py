"""The engine (`SESSION_ENGINE`) of sessions: one that cannot be written is not taken for one that ended."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import InternalError, OperationalError


class SessionStore(db.SessionStore):
    """Raises the database's own error where it refuses; Django's says that somebody had signed out meanwhile."""

    def save(self, must_create: bool = False) -> None:
        try:
            super().save(must_create=must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError | InternalError):
                raise error.__context__ from None
            raise
