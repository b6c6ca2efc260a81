"""`/authorize` and `/authorize/decision`: ask for a token, show what the assistant would get, and answer the assistant.

Until the assistant and its redirect are known, every fault is a page; afterwards faults go back to the assistant (OAuth
2.1 section 4.1.2.1).
"""

from collections.abc import Callable
from functools import wraps
from typing import cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from hoursmith_console.authorizing.cookie import browser_id, keep_browser_id, new_browser_id
from hoursmith_console.authorizing.decisions import Decision, allow
from hoursmith_console.authorizing.forms import FIELD, AccessForm
from hoursmith_console.authorizing.minting import (
    can_mint_now,
    choose_new_token,
    read_new_token,
    sign_new_token,
)
from hoursmith_console.authorizing.pages import (
    NEW,
    PENDING,
    address_of,
    allow_page,
    ask_page,
    leading_page,
    redirect_to_client,
    refusal_page,
)
from hoursmith_console.authorizing.people import member_for, signed_in
from hoursmith_console.token_issuer.claims import CheckedToken, ClaimError, check_token
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError
from hoursmith_console.token_issuer.protocol import MintingUnsupportedError, UnknownMemberError
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.core.credential import CredentialError
from mcpbridge.core.types import Identity
from mcpbridge.grants import config
from mcpbridge.grants.carrying import ExpiredPageError, open_pending, read_request, seal_pending
from mcpbridge.grants.decisions import AlreadyDecidedError, ForeignConnectionError, deny, refuse_blocked
from mcpbridge.grants.requests import AuthorizationRequest, InvalidRequestError, RefusedRequestError, check_request
from mcpbridge.observability.logs import request_id

View = Callable[[HttpRequest], HttpResponse]
RECENT_AUTH = "Your sign-in was too long ago to create a token. Confirm it’s you, or paste a token."
WITHOUT_TWO_FACTOR = "Your workspace requires two-factor authentication. Set it up in the console, then start again."
WITHOUT_WORKSPACE = "Your account belongs to no workspace of this console. Ask an Owner or Admin to invite you."
NOT_A_MEMBER = "You are not a member of this workspace in Hoursmith, so a token can’t be created."


def _answering(view: View) -> View:
    """Answer what is wrong with a request by a page, or to the assistant once that is known."""

    @wraps(view)
    def inner(request: HttpRequest) -> HttpResponse:
        if not config.is_enabled():
            raise Http404
        try:
            return view(request)
        except (InvalidRequestError, ExpiredPageError, AlreadyDecidedError, ForeignConnectionError) as error:
            return refusal_page(request, str(error))
        except AlreadyMintedError:
            return refusal_page(request, str(AlreadyDecidedError()))
        except (MissingFormIdError, MintingUnsupportedError):
            return refusal_page(request, str(ExpiredPageError()))
        except UnknownMemberError:
            return refusal_page(request, NOT_A_MEMBER, status=409)
        except ClaimError as error:
            return refusal_page(request, str(error), status=409)
        except CredentialError as fault:
            return refusal_page(request, fault.explanation, status=409)
        except AuditUnavailableError as error:
            return refusal_page(request, str(error), status=503)
        except RefusedRequestError as error:
            if request.method == "POST":
                return leading_page(request, error.request, error.address, is_allowed=False)
            return redirect_to_client(error.address)

    return inner


@sensitive_post_parameters(FIELD)
@require_http_methods(["GET", "HEAD", "POST"])
@_answering
def authorize(request: HttpRequest) -> HttpResponse:
    """Ask for the token; POST checks it and shows what the assistant would get."""
    if request.method == "POST":
        return _continue(request)
    asked = check_request(dict(request.GET.lists()))
    browser = browser_id(request) or new_browser_id()
    page = _sign_in_first(request, asked) or ask_page(
        request, asked, AccessForm(is_read_only=asked.asks_read_only), browser=browser
    )
    keep_browser_id(page, browser)
    return page


@sensitive_post_parameters(PENDING)
@require_POST
@_answering
def decide(request: HttpRequest) -> HttpResponse:
    """Allow or deny access, and lead the browser on to the assistant."""
    browser = _browser(request)
    if request.POST.get("decision") != "allow":
        asked = read_request(request.POST.get("request", ""), browser=browser)
        return leading_page(request, asked, deny(asked), is_allowed=False)
    decision = _decision(request, browser)
    if elsewhere := _sign_in_first(request, decision.request):
        return elsewhere
    if decision.new is not None and not can_mint_now(request):
        return HttpResponseRedirect(address_of(decision.request))
    allowed = allow(signed_in(request), decision, address=_address(request), request_id=request_id.get())
    return leading_page(request, decision.request, allowed.address, is_allowed=True)


def _continue(request: HttpRequest) -> HttpResponse:
    """Check the form of the first page, and show the second."""
    browser = _browser(request)
    asked = read_request(request.POST.get("request", ""), browser=browser)
    if elsewhere := _sign_in_first(request, asked):
        return elsewhere
    # Without the token, which every form would refuse.
    chosen = {name: request.POST.get(name, "") for name in AccessForm.base_fields}
    form = AccessForm(chosen, is_read_only=asked.asks_read_only)
    status, refusal = 400, ""
    if form.is_valid():
        if mint := request.POST.get("mint", ""):
            if (viewer := signed_in(request)) and can_mint_now(request):
                new = choose_new_token(
                    asked, member=viewer.member, form=mint, lasts=form.lasts, is_read_only=form.is_read_only
                )
                text = sign_new_token(new, browser=browser)
                return allow_page(request, _of_new_token(request, text, browser), browser=browser)
            status, refusal = 403, RECENT_AUTH
        else:
            try:
                checked = _checked(request)
                sealed = seal_pending(
                    request=asked,
                    credential=checked.credential,
                    identity=Identity(checked.org_id, checked.org_name, "", checked.role, checked.name, ()),
                    lasts=form.lasts,
                    is_read_only=form.is_read_only,
                    browser=browser,
                )
                return allow_page(request, _of_token(sealed.reveal(), browser), browser=browser)
            except CredentialError as fault:
                refusal = fault.explanation
            except ClaimError as error:
                status, refusal = 409, str(error)
    return ask_page(request, asked, form, browser=browser, status=status, refusal=refusal)


def _checked(request: HttpRequest) -> CheckedToken:
    """Return the pasted token, accepted by Hoursmith, not blocked, and not another member's. Raises as these do."""
    viewer = signed_in(request)
    checked = check_token(
        text=request.POST.get(FIELD, ""), member=viewer.member if viewer else None, address=_address(request)
    )
    # Afterwards: someone who knows only the prefix of a token must not learn that it is blocked.
    refuse_blocked(checked.credential)
    member_for(viewer, checked)
    return checked


def _decision(request: HttpRequest, browser: str) -> Decision:
    """Return what the second page sent back. Raises ExpiredPageError, or what `check_request` raises."""
    if text := request.POST.get(NEW, ""):
        return _of_new_token(request, text, browser)
    return _of_token(request.POST.get(PENDING, ""), browser)


def _of_token(text: str, browser: str) -> Decision:
    return Decision(text, pending=open_pending(text, browser=browser))


def _of_new_token(request: HttpRequest, text: str, browser: str) -> Decision:
    viewer, new = signed_in(request), read_new_token(text, browser=browser)
    if viewer is not None and viewer.member.pk != new.member_key:
        # Another person has signed in meanwhile, or another workspace was opened.
        raise ExpiredPageError
    return Decision(text, new=new, member=viewer.member if viewer else None)


def _sign_in_first(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse | None:
    """Where signing in is required, lead through it and back to the first page; None for who is signed in."""
    if settings.OAUTH_SIGN_IN != "required" or signed_in(request):
        return None
    if not request.user.is_authenticated:
        return redirect_to_login(address_of(asked), reverse(settings.LOGIN_URL))
    has_workspace = bool(cast(ConsoleRequest, request).viewer)
    return refusal_page(request, WITHOUT_TWO_FACTOR if has_workspace else WITHOUT_WORKSPACE, status=403)


def _browser(request: HttpRequest) -> str:
    """Return the id of the browser that sends a form. Raises ExpiredPageError."""
    if not (browser := browser_id(request)):
        raise ExpiredPageError
    return browser


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")
