"""Sign-in with a password, and changes to it, each in the record or not made."""

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
    """A form view whose change and record come in together or not at all."""

    action: ClassVar[str]
    details: ClassVar[dict[str, str]] = {}

    def form_valid(self, form: Any) -> HttpResponse:
        """Carry out what the form asks, on record."""
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
        """Whose account is changed."""
        user: User = self.request.user  # type: ignore[attr-defined]
        return user


class SignInView(views.LoginView):
    """The sign-in page, with every way in that there is."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        return {**found, "oidc_name": settings.OIDC.get("name", "")}


class EndsOtherSessions:
    """A form view after whose change no other session of the account goes on."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Carry out what the form asks, then end the sessions that began with the old password, or without one."""
        view: Any = super()
        answer: HttpResponse = view.form_valid(form)
        if answer.status_code == 302:
            request: HttpRequest = self.request  # type: ignore[attr-defined]
            end_sessions(user=cast(User, request.user), keep=request.session.session_key)
        return answer


class PasswordChangeView(EndsOtherSessions, AuditedView, views.PasswordChangeView):
    """Changes the password, with the old one."""

    action = "console.password_change"


@method_decorator(reauthentication_required, name="dispatch")
class PasswordSetView(EndsOtherSessions, AuditedView, views.PasswordSetView):
    """Gives an account without a password one, after re-authentication: from then on the password is one."""

    action = "console.password_set"


class PasswordResetView(AuditedView, views.PasswordResetFromKeyView):
    """Chooses a new password by a link that came by mail, and ends every session of the account."""

    action = "console.password_reset"

    def form_valid(self, form: Any) -> HttpResponse:
        if self.request.user.is_authenticated:
            # This session is one of them; what is left of the answer needs another.
            logout(self.request)
        answer = super().form_valid(form)
        if answer.status_code == 302:
            end_sessions(user=self.account())
        return answer

    def account(self) -> User:
        user: User = self.reset_user
        return user
