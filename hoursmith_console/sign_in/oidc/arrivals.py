"""Decides what becomes of somebody who comes back from the OpenID Connect provider."""

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

# Who began to link an identity in this browser; and whether a new account was asked for.
LINKING, WANTS_ACCOUNT = "console_oidc_linking", "console_oidc_new_account"
_UNKNOWN, _LINK_INSIDE = "account/oidc_unknown.html", "account/oidc_link_required.html"


class _RefusedError(Exception):
    """Nobody is signed in; `page` says why. `user` is the account whose verified address was named."""

    def __init__(self, page: str, user: User | None = None, *, is_invited: bool = False) -> None:
        super().__init__(page)
        self.page, self.user, self.is_invited = page, user, is_invited


def resolve_sign_in(request: HttpRequest, oidc_user: OidcUser, state: dict[str, Any]) -> User:
    """Return the account to sign in to; raise ImmediateHttpResponse with the answer where there is none."""
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
        if not _may_enter(user):
            raise _RefusedError(_UNKNOWN, user)
        return user
    lead, user = match_account(oidc_user)
    if lead == AccountMatch.CONNECT and user is not None and _may_enter(user):
        link_identity(user=user, oidc_user=oidc_user)
        _linked_record(request, user, oidc_user, "console.openid_connect")
        return user
    if lead == AccountMatch.LINK_REQUIRED:
        raise _RefusedError(_LINK_INSIDE, user)
    is_invited = bool(oidc_user.email and list_invitations([oidc_user.email]))
    if is_invited and (lead == AccountMatch.NONE or (lead == AccountMatch.UNVERIFIED and wants_account)):
        return _new_account(oidc_user)
    if lead == AccountMatch.UNVERIFIED:
        raise _RefusedError(_LINK_INSIDE, is_invited=is_invited)
    raise _RefusedError(_UNKNOWN, user)


def _may_enter(user: User) -> bool:
    return _has_access(user) or has_open_invitation(user)


def _has_access(user: User) -> bool:
    return Member.objects.with_access().filter(user=user).exists()


def _new_account(oidc_user: OidcUser) -> User:
    """Make the account of somebody who is invited and whose provider verified the address. They accept inside."""
    user = draft_account()
    user.save()
    losers = verify_address(
        user=user, email=oidc_user.email, method=EmailVerification.Method.OIDC, issuer=oidc_user.issuer, takes=True
    )
    record_released_addresses(losers, oidc_user.email)
    link_identity(user=user, oidc_user=oidc_user)
    return user


def _link(request: HttpRequest, oidc_user: OidcUser, linking: object) -> HttpResponse:
    """Link the identity to the account that is signed in, and whose user began to do so in this browser."""
    answer = HttpResponseRedirect(reverse("account_oidc"))
    if not request.user.is_authenticated or linking != request.user.pk:
        return render(request, "account/oidc_failed.html", status=401)
    user = request.user
    try:
        if find_identity_user(oidc_user) == user:
            messages.info(request, "That sign-in is linked to your account already.")
            return answer
        with transaction.atomic():
            _linked_by_hand(request, user, oidc_user)
    except IdentityTakenError:
        messages.error(request, "That sign-in belongs to another account. Unlink it there first.")
        return answer
    messages.success(request, f"You can now sign in with {settings.OIDC['name']}.")
    return answer


def _linked_by_hand(request: HttpRequest, user: User, oidc_user: OidcUser) -> None:
    link_identity(user=user, oidc_user=oidc_user)
    _linked_record(request, user, oidc_user, "console.openid_link")


def _linked_record(request: HttpRequest, user: User, oidc_user: OidcUser, action: str) -> None:
    record_account_event(
        user=user,
        action=action,
        address=get_adapter().get_client_ip(request),
        details={"issuer": oidc_user.issuer, "subject": oidc_user.subject},
    )


def _refusal(request: HttpRequest, oidc_user: OidcUser, refused: _RefusedError) -> HttpResponse:
    """Return the refusal, on record with an account only where the provider verified that account's address."""
    if refused.user is not None:
        record_account_failure(user=refused.user, address=get_adapter().get_client_ip(request), method="oidc")
    found = {"name": settings.OIDC["name"], "is_invited": refused.is_invited, "has_address": bool(oidc_user.email)}
    return render(request, refused.page, found, status=403)
