"""A token that is pasted where none belongs is refused or masked before any view sees it, and never shown again."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

import pytest
from django import forms
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver, resolve, reverse
from django.views.debug import technical_500_response

import hoursmith_console
from hoursmith_console.audit.models import Verification
from hoursmith_console.connections.forms import ConnectionForm
from hoursmith_console.core.forms import PASTED, Form, NoTokens
from hoursmith_console.middleware.pasted_tokens import TAKES_TOKEN, PastedTokens, mask_query
from mcpbridge.models import AuditEvent, Freeze, TokenBlock
from tests.hoursmith_console.conftest import Cast
from tests.page_urls import account_routes, console_routes, filled
from tests.wrapped_tokens import MANGLED, PREFIX, TOKEN, WRAPPED, pieces_left

Browse = Callable[[str], Client]
ALL = {**WRAPPED, **MANGLED}


def all_forms() -> Iterator[type[forms.BaseForm]]:
    """Every form class that the console's own modules declare."""
    for module in pkgutil.walk_packages(hoursmith_console.__path__, "hoursmith_console."):
        if "gunicorn" not in module.name and ".migrations" not in module.name:
            importlib.import_module(module.name)
    waiting: list[type[forms.BaseForm]] = [forms.BaseForm]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if each.__module__.startswith("hoursmith_console."):
                yield each


def test_every_form_of_the_console_refuses_tokens() -> None:
    found = set(all_forms())
    assert len(found) > 20
    assert [each for each in found if not issubclass(each, NoTokens)] == []


def test_every_form_of_every_view_refuses_tokens() -> None:
    found = {}
    for name, view in views(get_resolver()):
        made = getattr(view, "view_class", None)
        if made is not None and hasattr(made, "get_form_class"):
            found[name] = made().get_form_class()
    assert {"account_login", "account_change_password", "account_invitation_new", "mfa_authenticate"} <= set(found)
    with_fields = {name: each for name, each in found.items() if each is not None and each.base_fields}
    assert {name: each for name, each in with_fields.items() if not issubclass(each, NoTokens)} == {}


def views(resolver: URLResolver) -> Iterator[tuple[str, Any]]:
    """Every view that has an address, by its name."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern)
        else:
            yield str(pattern.name), pattern.callback


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_a_form_refuses_it_in_every_wrapping_and_does_not_repeat_it(text: str) -> None:
    for data in ({"label": text, "access": "full"}, QueryDict(mutable=True)):
        if isinstance(data, QueryDict):
            data.update({"label": f"my {text} laptop", "access": "full"})
        form = ConnectionForm(data)
        assert not form.is_valid()
        assert form.errors["label"] == [PASTED]
        assert "label" not in form.cleaned_data
        assert not pieces_left(form.as_p())


@pytest.mark.parametrize("text", [PREFIX, f"{PREFIX}_••••", "Ana’s laptop", "the bearer certificate expired", "hsk_"])
def test_a_form_takes_a_prefix_and_ordinary_texts(text: str) -> None:
    form = ConnectionForm({"label": text, "access": "full"})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["label"] == text


def test_a_token_in_a_field_that_the_form_does_not_know_is_refused_too() -> None:
    class Small(Form):
        name = forms.CharField()

    form = Small({"name": "x", "more": TOKEN})
    assert form.non_field_errors() == [PASTED]


@pytest.mark.parametrize("route", [*console_routes(), *account_routes()])
@pytest.mark.parametrize("parameter", ["q", "next", "token", "anything"])
def test_an_address_with_a_token_leads_to_the_same_without_it(
    cast: Cast, browse: Browse, route: str, parameter: str
) -> None:
    address = filled(route)
    answer = browse("owner").get(address, {"page": "2", parameter: f"x {TOKEN}"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{address}?page=2&{parameter}=")
    assert not pieces_left(answer.headers["Location"])
    assert PREFIX in answer.headers["Location"]


def test_the_query_of_an_address_stays_as_it_is_without_a_token() -> None:
    for query in ("", "q=a+b&live", "q=hsk_live_4f8a2c1bdedf", "code=4/0Ahsk_9vQ2mW7v&state=x%20y", "q=100%25"):
        assert mask_query(query) == query
    assert mask_query(f"q={TOKEN}") == f"q={PREFIX}"


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_a_query_holds_no_token_in_any_wrapping(text: str) -> None:
    masked = mask_query(urlencode({"page": "2", "q": f"x {text} y"}))
    assert masked.startswith("page=2&q=")
    assert not pieces_left(masked)
    assert text[len(text) // 2 :] not in parse_qs(masked)["q"][0]


def test_a_path_with_a_token_is_no_page_and_not_repeated(cast: Cast, browse: Browse) -> None:
    answer = browse("owner").get(f"/tokens/{TOKEN}/")
    assert answer.status_code == 404
    assert not pieces_left(answer.text)


@pytest.mark.parametrize("route", [*console_routes(), *account_routes()])
def test_a_form_that_is_sent_with_a_token_is_not_answered_with_it(cast: Cast, browse: Browse, route: str) -> None:
    # One that runs already: the walk must not start a thread of its own.
    Verification.objects.create(org_id=cast.org_id)
    fields = (
        "reason",
        "label",
        "name",
        "note",
        "target",
        "found_in",
        "title",
        "email",
        "login",
        "next",
        "query",
        "prefix",
        "public",
    )
    sent = dict.fromkeys(fields, f"x {TOKEN}")
    client = browse("owner")
    answer = client.post(filled(route), {**sent, "password": TOKEN, "password1": TOKEN, "password2": TOKEN})
    assert answer.status_code < 500
    assert not pieces_left(answer.content.decode("utf-8", "replace") + str(answer.headers))
    assert not any(pieces_left(repr(row)) for row in AuditEvent.objects.values())
    assert not pieces_left(repr(dict(client.session.items())))


def test_the_reason_of_a_block_and_of_a_pause_is_refused_with_a_word_on_what_to_do(cast: Cast, trusted: Browse) -> None:
    owner = trusted("owner")
    address = f"{reverse('console:tokens:block')}?token=live_{cast.tokens['member'].prefix}"
    answer = owner.post(address, {"reason": f"leaked: {TOKEN}"})
    assert answer.status_code == 400
    assert PASTED in answer.text
    assert not TokenBlock.objects.exists()
    answer = owner.post(reverse("console:settings:pause"), {"reason": TOKEN}, follow=True)
    assert PASTED in answer.text
    assert not Freeze.objects.exists()


def test_a_token_is_no_password(cast: Cast, browse: Browse) -> None:
    """Nor is what a mask would leave of it."""
    user = cast.people["owner"].user
    assert user is not None
    browse("owner").post("/accounts/password/change/", {"oldpassword": TOKEN, "password1": TOKEN, "password2": TOKEN})
    user.refresh_from_db()
    assert not user.check_password(TOKEN)
    assert not user.check_password(f"{PREFIX}_••••")


def test_the_pages_that_take_a_token_get_it(cast: Cast, browse: Browse) -> None:
    addresses = {"console:tokens:claim": reverse("console:tokens:claim")}
    addresses["console:rotations:new_token"] = reverse("console:rotations:new_token", args=[1])
    addresses["console:restore:new"] = reverse("console:restore:new", args=[uuid4()])
    addresses |= {name: reverse(name) for name in ("authorize", "authorize_decision")}
    assert addresses.keys() == TAKES_TOKEN.keys()
    for name, field in TAKES_TOKEN.items():
        request = RequestFactory().post(addresses[name], {field: TOKEN, "note": TOKEN})
        seen = {}

        def view(request, *args, seen=seen, **kwargs):
            seen.update(request.POST.items())

        middleware = PastedTokens(lambda request: view(request))
        request.resolver_match = resolve(addresses[name])
        middleware.process_view(request, view, (), {})
        view(request)
        assert seen == {field: TOKEN, "note": f"{PREFIX}_••••"}


def test_the_page_of_a_fault_shows_no_token_to_a_developer_either() -> None:
    request = RequestFactory().post("/", {"label": TOKEN}, headers={"User-Agent": TOKEN})
    try:
        pasted = f"local {TOKEN}"
        raise ValueError(pasted)
    except ValueError as error:
        for accept in ("text/html", "text/plain"):
            request.META["HTTP_ACCEPT"] = accept
            page = technical_500_response(request, type(error), error, error.__traceback__)
            assert PREFIX in page.text
            assert not pieces_left(page.text)
