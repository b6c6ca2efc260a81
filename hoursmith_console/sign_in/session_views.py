"""Sign-out, and the page of active sessions."""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.views import logout as account_logout
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from hoursmith_console.accounts.services import end_sessions, list_sessions
from hoursmith_console.core.keys import key_from
from hoursmith_console.workspaces.account_events import record_account_event


def signed_out(request: HttpRequest) -> HttpResponseBase:
    """Sign out and clear the browser's cache of the console, including pages in memory."""
    answer: HttpResponseBase = account_logout(request)
    if not request.user.is_authenticated:
        # Not cookies, which other programs on the same domain may share, nor the chosen theme.
        answer["Clear-Site-Data"] = '"cache"'
    return answer


@method_decorator(never_cache, name="dispatch")
class SessionsView(LoginRequiredMixin, TemplateView):
    """List the active sessions of the account; a POST ends one other session, or all of them."""

    template_name = "account/sessions.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "sessions": list_sessions(cast(User, self.request.user)),
            "here": self.request.session.session_key,
            "hours": f"{settings.SESSION_COOKIE_AGE / 3600:g}",
            "minutes": round(settings.SESSION_IDLE_SECONDS / 60),
        }

    def post(self, request: HttpRequest) -> HttpResponse:
        """End other sessions. Ending a session is safe, so no re-authentication is required."""
        user, chosen = cast(User, request.user), request.POST.get("session", "")
        with transaction.atomic():
            # Without a choice all others end; an unreadable choice ends none.
            only = (key_from(chosen) or 0) if chosen else None
            ended = end_sessions(user=user, keep=request.session.session_key, only=only)
            if ended:
                record_account_event(
                    user=user,
                    action="console.sessions_end",
                    address=get_adapter().get_client_ip(request),
                    details={"ended": ended},
                )
        told = (
            f"Signed out {ended} other session{'s' if ended != 1 else ''}."
            if ended
            else "No other session to sign out."
        )
        messages.success(request, told)
        return HttpResponseRedirect(request.path)
