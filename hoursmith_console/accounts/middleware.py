"""End sessions past their age or idle limit, and keep the list of active sessions up to date."""

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

STATE_KEY = "console_session"
UPDATE_INTERVAL_S = 60


class SessionLimits(MiddlewareMixin):
    """Sign out sessions over a limit. Must come after Django's AuthenticationMiddleware."""

    def process_request(self, request: HttpRequest) -> None:
        """End the session if it is over its age or idle limit."""
        # Without a session cookie nothing is loaded, and the response does not vary by cookie.
        place = request.session.get(STATE_KEY) if request.session.session_key else None
        if place is None:
            return
        now = time.time()
        if now - place["began"] < settings.SESSION_COOKIE_AGE and now - place["seen"] < settings.SESSION_IDLE_SECONDS:
            return
        forget_session(key=request.session.session_key or "")
        request.session.flush()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Update the session's row once a minute and when its key changes; set the device cookie after a sign-in."""
        set_browser_cookie(request, response)
        session = getattr(request, "session", None)
        # A session that was not accessed cannot have changed, so it is not loaded here.
        if session is None or not session.accessed or SESSION_KEY not in session:
            return response
        place = session.get(STATE_KEY)
        if place is None or place["key"] != session.session_key or time.time() - place["seen"] >= UPDATE_INTERVAL_S:
            update_session(request)
        return response


def update_session(request: HttpRequest) -> None:
    """Update the session and its ConsoleSession row. If the database refuses, a later request updates them."""
    if not isinstance(request.user, User):
        return
    now, place = time.time(), request.session.get(STATE_KEY) or {}
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
        logger.warning("A session could not be updated: %s", type(error).__name__)
        return
    request.session[STATE_KEY] = {"key": key, "began": began, "seen": now}


def _address(request: HttpRequest) -> str:
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""


def start_session(sender: Any, request: HttpRequest, user: User, **more: Any) -> None:
    """Start tracking the session after a sign-in by any method (receiver of `user_logged_in`)."""
    request.session.pop(STATE_KEY, None)
    request.user = user
    note_sign_in(request, user)
    update_session(request)
