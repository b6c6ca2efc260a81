"""allauth's account adapter: no sign-up, recorded sign-ins, rate limits by client address."""

import logging
from typing import Any, ClassVar
from urllib.parse import unquote

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from hoursmith_console.accounts.known_browsers import rate_limit_key
from hoursmith_console.accounts.reauthentication import has_recent_auth
from hoursmith_console.accounts.services import forget_session
from hoursmith_console.workspaces.account_events import record_sign_in, record_sign_in_failure, record_sign_out
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.redaction.masking import redact

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """Close sign-up, record sign-ins and sign-outs, and rate-limit by client address."""

    error_messages: ClassVar[dict[str, str]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "Incorrect email address or password. Check both and try again.",
        "enter_current_password": "The current password is incorrect.",
        "incorrect_code": "The code is incorrect. Enter the current one.",
        "incorrect_password": "The password is incorrect. Try again.",
        "rate_limited": "Too many attempts. Wait a few minutes, then try again.",
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes, then try again.",
    }

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign `user` in after recording it; without an audit entry the sign-in fails."""
        record_sign_in(user=user, method=_sign_in_method(request, user), address=self.get_client_ip(request))
        super().login(request, user)

    def logout(self, request: HttpRequest) -> None:
        """Sign out, even if that cannot be recorded."""
        try:
            if isinstance(request.user, User):
                record_sign_out(user=request.user, address=self.get_client_ip(request))
        except AuditUnavailableError as error:
            logger.error("A sign-out could not be recorded: %s", error)
        forget_session(key=request.session.session_key or "")
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record a failed sign-in on the account's audit trail without revealing whether the account exists."""
        email = credentials.get("email") or credentials.get("username") or ""
        try:
            record_sign_in_failure(email=str(email), address=self.get_client_ip(request))
        except AuditUnavailableError as error:
            logger.error("A failed sign-in could not be recorded: %s", error)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Raise ValidationError after too many failed attempts, which allauth counts by the address in `credentials`.

        A browser that the account has signed in with before has its own limit.
        """
        key = rate_limit_key(request, str(credentials.get("email") or ""))
        super().pre_authenticate(request, **({**credentials, "email": key} if key else credentials))

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Raise ReauthenticationRequired unless the sign-in is recent.

        allauth's own rule counts no sign-in, only re-authentication, and lets accounts without a password or a second
        factor pass.
        """
        if not has_recent_auth(context.request):
            raise ReauthenticationRequired
        return False

    def is_safe_url(self, url: str) -> bool:
        """Return whether to accept `url` as a redirect target: a path on this site, without a token."""
        text = unquote(url)
        return url.startswith("/") and redact(text) == text and bool(super().is_safe_url(url))

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client address for rate limits; behind a trusted proxy, the address it forwarded."""
        address = str(request.META.get("REMOTE_ADDR") or "")
        if not address:
            raise PermissionDenied("The request has no client address.")
        return address

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("console:index")


def _sign_in_method(request: HttpRequest, user: User) -> str:
    """Return the methods the user signed in with, such as "password and totp"."""
    steps = []
    for step in get_authentication_records(request, user):
        if step["method"] == "mfa":
            steps.append("passkey" if step.get("passwordless") else str(step["type"]))
        else:
            steps.append({"socialaccount": "oidc"}.get(step["method"], str(step["method"])))
    return " and ".join(dict.fromkeys(steps)) or "password"
