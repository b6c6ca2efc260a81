"""allauth's pages for second factors, with every change and every use of a recovery code in the record."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.base import views as base
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from hoursmith_console.sign_in.mfa.adapter import passkey_address, passkeys_work_here
from hoursmith_console.sign_in.passwords import AuditedView
from hoursmith_console.workspaces.account_events import record_account_event, record_account_failure

WAYS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery code",
}


class IndexView(base.IndexView):
    """Which second factors one has, and whether the workspace asks for one."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        viewer = self.request.viewer
        return {
            **found,
            "demand": viewer.two_factor_demand if viewer else "",
            "others": viewer.other_workspaces if viewer else [],
            "passkeys_work": passkeys_work_here(),
        }


class ActivateAppView(AuditedView, totp.ActivateTOTPView):
    """Sets an authenticator app up."""

    action, details = "console.factor_add", {"factor": WAYS[Authenticator.Type.TOTP]}


class DeactivateAppView(AuditedView, totp.DeactivateTOTPView):
    """Removes the authenticator app."""

    action, details = "console.factor_remove", {"factor": WAYS[Authenticator.Type.TOTP]}


class GenerateCodesView(AuditedView, recovery.GenerateRecoveryCodesView):
    """Makes new recovery codes; the old ones no longer work."""

    action = "console.recovery_codes_generate"


class AddPasskeyView(AuditedView, webauthn.AddWebAuthnView):
    """Adds a passkey, where browsers make any for this address."""

    action, details = "console.factor_add", {"factor": WAYS[Authenticator.Type.WEBAUTHN]}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not passkeys_work_here():
            return render(request, "mfa/webauthn/elsewhere.html", {"address": passkey_address()})
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer


class RemovePasskeyView(AuditedView, webauthn.RemoveWebAuthnView):
    """Removes a passkey."""

    action, details = "console.factor_remove", {"factor": WAYS[Authenticator.Type.WEBAUTHN]}


class RenamePasskeyView(AuditedView, webauthn.EditWebAuthnView):
    """Calls a passkey something else."""

    action, details = "console.factor_rename", {"factor": WAYS[Authenticator.Type.WEBAUTHN]}


class AuthenticateView(base.AuthenticateView):
    """Asks for the second factor at sign-in."""

    def form_valid(self, form: Any) -> HttpResponse:
        _recovery_code_record(form, self.stage.login.user, self.request)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        _failure_record(form, self.stage.login.user, self.request)
        answer: HttpResponse = super().form_invalid(form)
        return answer


class ReauthenticateView(base.ReauthenticateView):
    """Asks for a code before a sensitive action."""

    def form_valid(self, form: Any) -> HttpResponse:
        _recovery_code_record(form, self.request.user, self.request)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        _failure_record(form, self.request.user, self.request)
        answer: HttpResponse = super().form_invalid(form)
        return answer


class ReauthenticatePasskeyView(webauthn.ReauthenticateWebAuthnView):
    """Asks for a passkey before a sensitive action."""

    def form_invalid(self, form: Any) -> HttpResponse:
        _failure_record(form, self.request.user, self.request)
        # In the address and not in a message, which the page that comes after this one is to show.
        address = reverse("mfa_reauthenticate_webauthn", query={"failed": 1})
        return HttpResponseRedirect(self.passthrough_next_url(address))


def _recovery_code_record(form: Any, user: User, request: HttpRequest) -> None:
    """Record the use of a recovery code, which is rare and worth a look; every sign-in is recorded besides."""
    used = getattr(form, "authenticator", None)
    if used is not None and used.type == Authenticator.Type.RECOVERY_CODES:
        used.refresh_from_db()
        left = len(used.wrap().get_unused_codes())
        with transaction.atomic():
            record_account_event(
                user=user,
                action="console.recovery_code_use",
                address=get_adapter().get_client_ip(request),
                details={"left": left},
            )


def _failure_record(form: Any, user: User, request: HttpRequest) -> None:
    # Attempts beyond the limit are refused unseen, so that nobody can fill the record.
    if form.has_error("code", "incorrect_code") or form.has_error("credential", "incorrect_code"):
        method = "second factor" if "code" in form.fields else "passkey"
        record_account_failure(user=user, address=get_adapter().get_client_ip(request), method=method)
