"""allauth's two-factor pages; each change and each use of a recovery code is recorded in the audit log."""

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

FACTOR_NAMES = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery code",
}


class IndexView(base.IndexView):
    """Two-factor methods of the account, and whether the workspace requires one."""

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
    """Set up an authenticator app."""

    action, details = "console.factor_add", {"factor": FACTOR_NAMES[Authenticator.Type.TOTP]}


class DeactivateAppView(AuditedView, totp.DeactivateTOTPView):
    """Remove the authenticator app."""

    action, details = "console.factor_remove", {"factor": FACTOR_NAMES[Authenticator.Type.TOTP]}


class GenerateCodesView(AuditedView, recovery.GenerateRecoveryCodesView):
    """Create new recovery codes, which replace the former ones."""

    action = "console.recovery_codes_generate"


class AddPasskeyView(AuditedView, webauthn.AddWebAuthnView):
    """Add a passkey, if browsers create them for this host."""

    action, details = "console.factor_add", {"factor": FACTOR_NAMES[Authenticator.Type.WEBAUTHN]}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not passkeys_work_here():
            return render(request, "mfa/webauthn/elsewhere.html", {"address": passkey_address()})
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer


class RemovePasskeyView(AuditedView, webauthn.RemoveWebAuthnView):
    """Remove a passkey."""

    action, details = "console.factor_remove", {"factor": FACTOR_NAMES[Authenticator.Type.WEBAUTHN]}


class RenamePasskeyView(AuditedView, webauthn.EditWebAuthnView):
    """Rename a passkey."""

    action, details = "console.factor_rename", {"factor": FACTOR_NAMES[Authenticator.Type.WEBAUTHN]}


class AuthenticateView(base.AuthenticateView):
    """Ask for two-factor authentication at sign-in."""

    def form_valid(self, form: Any) -> HttpResponse:
        _record_recovery_code(form, self.stage.login.user, self.request)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        _record_failure(form, self.stage.login.user, self.request)
        answer: HttpResponse = super().form_invalid(form)
        return answer


class ReauthenticateView(base.ReauthenticateView):
    """Ask for a code before a sensitive action."""

    def form_valid(self, form: Any) -> HttpResponse:
        _record_recovery_code(form, self.request.user, self.request)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        _record_failure(form, self.request.user, self.request)
        answer: HttpResponse = super().form_invalid(form)
        return answer


class ReauthenticatePasskeyView(webauthn.ReauthenticateWebAuthnView):
    """Ask for a passkey before a sensitive action."""

    def form_invalid(self, form: Any) -> HttpResponse:
        _record_failure(form, self.request.user, self.request)
        # In the URL, since messages are shown on the page after this one.
        address = reverse("mfa_reauthenticate_webauthn", query={"failed": 1})
        return HttpResponseRedirect(self.passthrough_next_url(address))


def _record_recovery_code(form: Any, user: User, request: HttpRequest) -> None:
    """Record the use of a recovery code. The sign-in itself is recorded separately."""
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


def _record_failure(form: Any, user: User, request: HttpRequest) -> None:
    # Attempts over the rate limit are not recorded, so that they cannot flood the audit log.
    if form.has_error("code", "incorrect_code") or form.has_error("credential", "incorrect_code"):
        method = "two-factor code" if "code" in form.fields else "passkey"
        record_account_failure(user=user, address=get_adapter().get_client_ip(request), method=method)
