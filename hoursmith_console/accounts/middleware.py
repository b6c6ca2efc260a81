"""Ends sessions that are too old or were left alone too long, and notes where the others are."""

import logging
import time
from datetime import UTC, datetime
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from hoursmith_console.accounts.known_browsers import note_sign_in, set_browser_cookie
from hoursmith_console.accounts.services import forget_session, save_session

logger = logging.getLogger(__name__)

PLACE = "console_session"
NOTE_S = 60


class SessionLimits(MiddlewareMixin):
    """Stands behind Django's AuthenticationMiddleware: whoever is over a limit is nobody from there on."""

    def process_request(self, request: HttpRequest) -> None:
        """End the session where it is over a limit."""
        # Where no cookie came there is nothing to look into, and the answer does not depend on one.
        place = request.session.get(PLACE) if request.session.session_key else None
        if place is None:
            return
        now = time.time()
        if now - place["began"] < settings.SESSION_COOKIE_AGE and now - place["seen"] < settings.SESSION_IDLE_SECONDS:
            return
        forget_session(key=request.session.session_key or "")
        request.session.flush()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Note the session once a minute, and whenever it got another key; remember the browser of a sign-in."""
        set_browser_cookie(request, response)
        session = getattr(request, "session", None)
        # A session that nobody has looked into cannot have changed, and is not to be loaded for this.
        if session is None or not session.accessed or SESSION_KEY not in session:
            return response
        place = session.get(PLACE)
        if place is None or place["key"] != session.session_key or time.time() - place["seen"] >= NOTE_S:
            update_session(request)
        return response


def update_session(request: HttpRequest) -> None:
    """Note in the session and beside it where it is seen now. Where the database refuses, it is noted later."""
    if not isinstance(request.user, User):
        return
    now, place = time.time(), request.session.get(PLACE) or {}
    began, key = place.get("began", now), request.session.session_key or ""
    try:
        save_session(
            user=request.user,
            key=key,
            was=place.get("key", key),
            address=_address(request),
            agent=request.META.get("HTTP_USER_AGENT", ""),
            began_at=datetime.fromtimestamp(began, UTC),
        )
    except DatabaseError as error:
        logger.warning("A session could not be noted: %s", type(error).__name__)
        return
    request.session[PLACE] = {"key": key, "began": began, "seen": now}


def _address(request: HttpRequest) -> str:
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""


def start_session(sender: Any, request: HttpRequest, user: User, **more: Any) -> None:
    """A receiver of Django's signal that somebody has signed in, which every way to sign in sends."""
    request.session.pop(PLACE, None)
    request.user = user
    note_sign_in(request, user)
    update_session(request)
