"""Password sign-in and password changes; each change is recorded or rolled back."""

from typing import Any, ClassVar, cast

from allauth.account import views
from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator

from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.workspaces.account_events import record_account_event


class AuditedView:
    """Form view mixin: make a change and its audit entry in one transaction."""

    action: ClassVar[str]
    details: ClassVar[dict[str, str]] = {}

    def form_valid(self, form: Any) -> HttpResponse:
        """Make the change and record it."""
        view: Any = super()
        request = self.request  # type: ignore[attr-defined]
        with transaction.atomic():
            answer: HttpResponse = view.form_valid(form)
            record_account_event(
                user=self.account(),
                action=self.action,
                address=get_adapter().get_client_ip(request),
                details=self.details,
            )
        return answer

    def account(self) -> User:
        """Return the account that is changed."""
        user: User = self.request.user  # type: ignore[attr-defined]
        return user


class SignInView(views.LoginView):
    """Sign-in page with all configured methods."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        return {**found, "oidc_name": settings.OIDC.get("name", "")}


class EndsOtherSessions:
    """Form view mixin: end the other sessions of the account after a change."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Make the change, then end the sessions that began before it."""
        view: Any = super()
        answer: HttpResponse = view.form_valid(form)
        if answer.status_code == 302:
            request: HttpRequest = self.request  # type: ignore[attr-defined]
            end_sessions(user=cast(User, request.user), keep=request.session.session_key)
        return answer


class PasswordChangeView(EndsOtherSessions, AuditedView, views.PasswordChangeView):
    """Change the password."""

    action = "console.password_change"


@method_decorator(reauthentication_required, name="dispatch")
class PasswordSetView(EndsOtherSessions, AuditedView, views.PasswordSetView):
    """Set the first password of an account, after re-authentication."""

    action = "console.password_set"


class PasswordResetView(AuditedView, views.PasswordResetFromKeyView):
    """Set a new password by an emailed link, and end all sessions of the account."""

    action = "console.password_reset"

    def form_valid(self, form: Any) -> HttpResponse:
        if self.request.user.is_authenticated:
            # This session ends too; the rest of the response needs a new one.
            logout(self.request)
        answer = super().form_valid(form)
        if answer.status_code == 302:
            end_sessions(user=self.account())
        return answer

    def account(self) -> User:
        user: User = self.reset_user
        return user
