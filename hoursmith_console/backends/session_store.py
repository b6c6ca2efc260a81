"""Session engine (`SESSION_ENGINE`) that tells a failed write from an ended session."""

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import InternalError, OperationalError


class SessionStore(db.SessionStore):
    """Raise the database's error on a failed write; Django would report that the session was deleted."""

    def save(self, must_create: bool = False) -> None:
        try:
            super().save(must_create=must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError | InternalError):
                raise error.__context__ from None
            raise
