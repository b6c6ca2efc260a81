"""Render the authorization pages with their own headers.

An assistant may open them in a window of its own and wait for it, so they alone stay connected to their opener. They
are never framed or stored. Forms need a referrer within the console: without one, browsers send no origin that the
check against forged forms accepts. Pages without a form send none at all.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.accounts.reauthentication import reauthentication_url
from hoursmith_console.authorizing.decisions import Decision
from hoursmith_console.authorizing.forms import ACCESSES, FIELD, FULL, READ_ONLY, AccessForm
from hoursmith_console.authorizing.minting import can_mint_now, may_mint
from hoursmith_console.authorizing.people import signed_in
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import new_form_id
from mcpbridge.grants.carrying import sign_request
from mcpbridge.grants.requests import AuthorizationRequest
from mcpbridge.grants.resources import READ, WRITE

PENDING, NEW = "pending", "new"


def ask_page(
    request: HttpRequest,
    asked: AuthorizationRequest,
    form: AccessForm,
    *,
    browser: str,
    status: int = 200,
    refusal: str = "",
) -> HttpResponse:
    """Return the first page, which asks for the token. Nothing that was pasted is repeated."""
    is_minting = may_mint(request)
    has_auth = can_mint_now(request)
    return _page(
        request,
        "ask",
        status=status,
        form=form,
        refusal=refusal,
        signed=sign_request(asked, browser=browser),
        field=FIELD,
        mint=new_form_id() if has_auth else "",
        confirm_address=_confirm_address(request, asked) if is_minting and not has_auth else "",
        tokens_page=current_issuer().page,
        member=_member(request),
        **_client(asked),
    )


def allow_page(request: HttpRequest, decision: Decision, *, browser: str) -> HttpResponse:
    """Return the second page, which shows what the assistant would get."""
    return _page(
        request,
        "allow",
        decision=decision,
        signed=sign_request(decision.request, browser=browser),
        carried_in=PENDING if decision.pending else NEW,
        access_label=ACCESSES[READ_ONLY if decision.is_read_only else FULL],
        expires_at=timezone.now() + decision.lasts,
        **_client(decision.request),
    )


def refusal_page(request: HttpRequest, reason: str, *, status: int = 400) -> HttpResponse:
    """Return a page with the reason; the browser is sent nowhere."""
    return _page(request, "refused", status=status, has_form=False, reason=reason)


def leading_page(request: HttpRequest, asked: AuthorizationRequest, address: str, *, is_allowed: bool) -> HttpResponse:
    """Return a page that leads on to `address`, the assistant's redirect with its answer.

    Not a redirect: Chromium applies `form-action` to redirects after a form, and they would end there.
    """
    context = _client(asked)
    page = _page(request, "leading", has_form=False, address=address, is_allowed=is_allowed, **context)
    page["Refresh"] = f"0; url={address}"
    return page


def redirect_to_client(address: str) -> HttpResponse:
    """Redirect to `address` before any form was shown. It may have a private scheme, which Django's class refuses."""
    return HttpResponse(status=302, headers={"Location": address, "Referrer-Policy": "no-referrer"})


def address_of(asked: AuthorizationRequest) -> str:
    """Return the address of the first page for the same request."""
    said = {
        "response_type": "code",
        "client_id": asked.client.client_id,
        "redirect_uri": asked.redirect,
        "code_challenge": asked.challenge,
        "code_challenge_method": "S256",
        "resource": asked.resource.url,
        "scope": READ if asked.asks_read_only else f"{READ} {WRITE}",
        **({} if asked.state is None else {"state": asked.state}),
    }
    return f"{reverse('authorize')}?{urlencode(said)}"


def _page(
    request: HttpRequest, template: str, *, status: int = 200, has_form: bool = True, **context: Any
) -> HttpResponse:
    page = render(request, f"authorizing/{template}.html", context, status=status)
    page["Cross-Origin-Opener-Policy"] = "unsafe-none"
    page["Referrer-Policy"] = "same-origin" if has_form else "no-referrer"
    page["Cache-Control"] = "no-store, private, max-age=0"
    return page


def _client(asked: AuthorizationRequest) -> dict[str, Any]:
    """Return what the pages say of the assistant and of where its answer goes."""
    return {
        "client_name": asked.client.name,
        "client_host": asked.client.host,
        "place": asked.redirect_host,
        "is_loopback": asked.is_loopback,
        "is_program": "://" in asked.redirect_host,
    }


def _confirm_address(request: HttpRequest, asked: AuthorizationRequest) -> str:
    url = reauthentication_url(request)
    return f"{url}?{urlencode({'next': address_of(asked)})}" if url else ""


def _member(request: HttpRequest) -> Any:
    viewer = signed_in(request)
    return viewer.member if viewer else None
