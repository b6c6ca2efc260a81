"""Sign-in with a password, and changes to it, each in the record or not made."""

from typing import Any, ClassVar

from allauth.account import views
from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render

from hoursmith_console.accounts.services import sessions_end
from hoursmith_console.workspaces.sign_ins import account_event_record
from mcpbridge.audit import AuditUnavailableError


class RecordedView:
    """A form view whose change and record come in together or not at all."""

    action: ClassVar[str]
    details: ClassVar[dict[str, str]] = {}

    def form_valid(self, form: Any) -> HttpResponse:
        """Carry out what the form asks, on record."""
        view: Any = super()
        request = self.request  # type: ignore[attr-defined]
        try:
            with transaction.atomic():
                answer: HttpResponse = view.form_valid(form)
                account_event_record(
                    user=self.account(),
                    action=self.action,
                    address=get_adapter().get_client_ip(request),
                    details=self.details,
                )
        except AuditUnavailableError:
            return render(request, "503.html", status=503)
        return answer

    def account(self) -> User:
        """Whose account is changed."""
        user: User = self.request.user  # type: ignore[attr-defined]
        return user


class SignInView(views.LoginView):
    """The sign-in page, with every way in that there is."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        return {**found, "openid_name": settings.OIDC.get("name", "")}


class PasswordChangeView(RecordedView, views.PasswordChangeView):
    """Changes the password; whoever else was signed in with the old one no longer is."""

    action = "console.password_change"

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        if answer.status_code == 302:
            sessions_end(user=self.account(), keep=self.request.session.session_key)
        return answer


class PasswordSetView(RecordedView, views.PasswordSetView):
    """Gives an account without a password one."""

    action = "console.password_change"


class PasswordResetView(RecordedView, views.PasswordResetFromKeyView):
    """Chooses a new password by a link that came by mail."""

    action = "console.password_reset"

    def account(self) -> User:
        user: User = self.reset_user
        return user
