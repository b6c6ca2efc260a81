"""Decide which account a user who returns from the OpenID Connect provider signs in to."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from hoursmith_console.accounts.addresses import verify_address
from hoursmith_console.accounts.models import EmailVerification
from hoursmith_console.accounts.oidc_identities import (
    AccountMatch,
    IdentityTakenError,
    OidcUser,
    find_identity_user,
    link_identity,
    match_account,
    record_identity_use,
)
from hoursmith_console.workspaces.account_events import record_account_event, record_account_failure
from hoursmith_console.workspaces.invitations import has_open_invitation, list_invitations, record_released_addresses
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import draft_account

# Session keys: the account that started linking in this browser; whether a new account was requested.
LINKING, WANTS_ACCOUNT = "console_oidc_linking", "console_oidc_new_account"
_UNKNOWN, _LINK_REQUIRED = "account/oidc_unknown.html", "account/oidc_link_required.html"


class _RefusedError(Exception):
    """The sign-in is refused; `page` explains why. `user` is the account with the verified address."""

    def __init__(self, page: str, user: User | None = None, *, is_invited: bool = False) -> None:
        super().__init__(page)
        self.page, self.user, self.is_invited = page, user, is_invited


def resolve_sign_in(request: HttpRequest, oidc_user: OidcUser, state: dict[str, Any]) -> User:
    """Return the account to sign in to. Raises ImmediateHttpResponse with the refusal if there is none."""
    wants_account = bool(request.session.pop(WANTS_ACCOUNT, False))
    linking = request.session.pop(LINKING, None)
    if state.get("process") == AuthProcess.CONNECT:
        raise ImmediateHttpResponse(_link(request, oidc_user, linking))
    try:
        with transaction.atomic():
            user = _account(request, oidc_user, wants_account=wants_account)
    except _RefusedError as refused:
        raise ImmediateHttpResponse(_refusal(request, oidc_user, refused)) from None
    if not _has_access(user):
        state["next"] = reverse("account_invitations")
    return user


def _account(request: HttpRequest, oidc_user: OidcUser, *, wants_account: bool) -> User:
    user = find_identity_user(oidc_user)
    if user is not None:
        record_identity_use(user=user, oidc_user=oidc_user)
        if not _can_enter(user):
            raise _RefusedError(_UNKNOWN, user)
        return user
    match, user = match_account(oidc_user)
    if match == AccountMatch.CONNECT and user is not None and _can_enter(user):
        link_identity(user=user, oidc_user=oidc_user)
        _record_link(request, user, oidc_user, "console.openid_connect")
        return user
    if match == AccountMatch.LINK_REQUIRED:
        raise _RefusedError(_LINK_REQUIRED, user)
    is_invited = bool(oidc_user.email and list_invitations([oidc_user.email]))
    if is_invited and (match == AccountMatch.NONE or (match == AccountMatch.UNVERIFIED and wants_account)):
        return _new_account(oidc_user)
    if match == AccountMatch.UNVERIFIED:
        raise _RefusedError(_LINK_REQUIRED, is_invited=is_invited)
    raise _RefusedError(_UNKNOWN, user)


def _can_enter(user: User) -> bool:
    return _has_access(user) or has_open_invitation(user)


def _has_access(user: User) -> bool:
    return Member.objects.with_access().filter(user=user).exists()


def _new_account(oidc_user: OidcUser) -> User:
    """Create the account of an invited user whose address the provider verified. They then accept the invitation."""
    user = draft_account()
    user.save()
    losers = verify_address(
        user=user, email=oidc_user.email, method=EmailVerification.Method.OIDC, issuer=oidc_user.issuer, takes_over=True
    )
    record_released_addresses(losers, oidc_user.email)
    link_identity(user=user, oidc_user=oidc_user)
    return user


def _link(request: HttpRequest, oidc_user: OidcUser, linking: object) -> HttpResponse:
    """Link the identity to the signed-in account, whose user must have started linking in this browser."""
    answer = HttpResponseRedirect(reverse("account_oidc"))
    if not request.user.is_authenticated or linking != request.user.pk:
        return render(request, "account/oidc_failed.html", status=401)
    user = request.user
    try:
        if find_identity_user(oidc_user) == user:
            messages.info(request, "This sign-in is already linked to your account.")
            return answer
        with transaction.atomic():
            _link_and_record(request, user, oidc_user)
    except IdentityTakenError:
        messages.error(request, "This sign-in is linked to another account. Unlink it there first.")
        return answer
    messages.success(request, f"You can now sign in with {settings.OIDC['name']}.")
    return answer


def _link_and_record(request: HttpRequest, user: User, oidc_user: OidcUser) -> None:
    link_identity(user=user, oidc_user=oidc_user)
    _record_link(request, user, oidc_user, "console.openid_link")


def _record_link(request: HttpRequest, user: User, oidc_user: OidcUser, action: str) -> None:
    record_account_event(
        user=user,
        action=action,
        address=get_adapter().get_client_ip(request),
        details={"issuer": oidc_user.issuer, "subject": oidc_user.subject},
    )


def _refusal(request: HttpRequest, oidc_user: OidcUser, refused: _RefusedError) -> HttpResponse:
    """Return the refusal; record it with an account only if the provider verified that account's address."""
    if refused.user is not None:
        record_account_failure(user=refused.user, address=get_adapter().get_client_ip(request), method="oidc")
    found = {"name": settings.OIDC["name"], "is_invited": refused.is_invited, "has_address": bool(oidc_user.email)}
    return render(request, refused.page, found, status=403)
