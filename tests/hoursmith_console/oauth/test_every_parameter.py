"""Every parameter of every endpoint missing, empty, doubled, too long, foreign: a refusal, and nothing is changed.

Each request is whole but for one parameter. Only what is there to be left out may be left out.
"""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from django.test import Client
from pytest_django import Settings

from hoursmith_console.oauth import tokens
from mcpbridge.grants.requests import check_request
from mcpbridge.models import AuditEvent, Grant
from mcpbridge.upstream import Upstream
from tests.hoursmith_console.authorizing.requests import ask, hidden, submit
from tests.hoursmith_console.authorizing.requests import parameters as authorization
from tests.hoursmith_console.sandbox_members import Town
from tests.mcpbridge.grants.authorizing import allowed, answered, parameters
from tests.mcpbridge.grants.claude import CLAUDE, CLAUDE_REDIRECT, VERIFIER
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.django_db(databases="__all__")
FORM = "application/x-www-form-urlencoded"
PUBLIC = "https://console.example.com"
LOOPBACK = "http://localhost:3118/callback"
LONG = "A" * 17_000


class Endpoint(NamedTuple):
    """A whole request: what it says, how it is sent, what it may do without, and what may be anything."""

    said: Callable[[Client], dict[str, str]]
    path: str
    optional: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()


def a_code(**more: str) -> dict[str, str]:
    code = answered(allowed(check_request(parameters(**more))).address)["code"]
    return {
        "grant_type": "authorization_code",
        "client_id": CLAUDE,
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CLAUDE_REDIRECT,
        "resource": f"{PUBLIC}/mcp",
    }


def an_issued(client: Client) -> dict[str, str]:
    found: dict[str, str] = client.post("/token", urlencode(a_code()), content_type=FORM).json()
    return found


def a_refresh(client: Client) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "client_id": CLAUDE,
        "refresh_token": an_issued(client)["refresh_token"],
        "scope": "hoursmith:read",
        "resource": f"{PUBLIC}/mcp",
    }


def a_registered_code(client: Client) -> dict[str, str]:
    made = client.post("/register", json.dumps({"redirect_uris": [LOOPBACK]}), content_type="application/json").json()
    said = a_code(client_id=made["client_id"], redirect_uri=LOOPBACK)
    return {
        **said,
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
        "redirect_uri": LOOPBACK,
    }


def a_revocation(client: Client) -> dict[str, str]:
    return {"client_id": CLAUDE, "token": an_issued(client)["refresh_token"], "token_type_hint": "refresh_token"}


ENDPOINTS = {
    "code": Endpoint(lambda _: a_code(), "/token", frozenset({"redirect_uri", "resource"})),
    "code-with-secret": Endpoint(a_registered_code, "/token", frozenset({"redirect_uri", "resource"})),
    # An unknown scope is ignored.
    "refresh": Endpoint(a_refresh, "/token", frozenset({"scope", "resource"}), frozenset({"scope"})),
    # Of a token that is nothing of ours, no more is said than that it is over.
    "revoke": Endpoint(
        a_revocation, "/revoke", frozenset({"token_type_hint"}), frozenset({"client_id", "token", "token_type_hint"})
    ),
}
FOREIGN = ("x", "é\u202e", "hse_a1_" + "A" * 200, "https://evil.example/callback", assembled_token())
WALK = [
    (name, parameter)
    for name, parameters_of in {
        "code": ("grant_type", "client_id", "code", "code_verifier", "redirect_uri", "resource"),
        "code-with-secret": (
            "grant_type",
            "client_id",
            "client_secret",
            "code",
            "code_verifier",
            "redirect_uri",
            "resource",
        ),
        "refresh": ("grant_type", "client_id", "refresh_token", "scope", "resource"),
        "revoke": ("client_id", "token", "token_type_hint"),
    }.items()
    for parameter in parameters_of
]


@pytest.fixture(autouse=True)
def public(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PUBLIC_URL = PUBLIC

    def hoursmith(_: object) -> Upstream:
        answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": {"orgId": "org-acme"}}))
        return Upstream("https://hoursmith.example/api/v1", timeout_s=2, transport=answer)

    monkeypatch.setattr(tokens, "upstream_from_settings", hoursmith)


def wrong(said: dict[str, str], parameter: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The request with one parameter in every wrong way, and how."""
    others = [(name, value) for name, value in said.items() if name != parameter]
    right = said[parameter]
    yield "missing", others
    yield "empty", [*others, (parameter, "")]
    yield "doubled", [*said.items(), (parameter, right)]
    yield "doubled", [*said.items(), (parameter, "other")]
    yield "doubled", [*said.items(), (parameter, "")]
    yield "long", [*others, (parameter, LONG)]
    for value in (*FOREIGN, right + "\x00", right.swapcase() + "x", f" {right}"):
        yield "foreign", [*others, (parameter, value)]


@pytest.mark.parametrize(("name", "parameter"), WALK)
def test_a_wrong_parameter_is_refused_and_ends_nothing(client: Client, name: str, parameter: str) -> None:
    endpoint = ENDPOINTS[name]
    said = endpoint.said(client)
    assert set(said) == {each for of, each in WALK if of == name}
    before = [*Grant.objects.order_by("pk").values_list("pk", "ended_at", "generation", "redeemed_at")]
    for how, fields in wrong(said, parameter):
        if (how in ("missing", "empty") and parameter in endpoint.optional) or (
            how == "foreign" and parameter in endpoint.free
        ):
            continue
        answer = client.post(endpoint.path, urlencode(fields), content_type=FORM)
        assert answer.status_code in (400, 401, 413), (how, fields, answer.content)
        assert answer["Cache-Control"] == "no-store"
        refused = answer.json()
        assert refused["error_description"].endswith("."), refused
        # Nothing that was sent is repeated.
        assert not [value for _, value in fields if len(value) > 20 and value in answer.content.decode()]
    assert [*Grant.objects.order_by("pk").values_list("pk", "ended_at", "generation", "redeemed_at")] == before
    # The same request, whole, is still good: nothing was used up.
    assert client.post(endpoint.path, urlencode(said), content_type=FORM).status_code == 200


@pytest.mark.parametrize("parameter", sorted(authorization()))
def test_a_wrong_parameter_of_an_authorization_leads_nobody_elsewhere(parameter: str) -> None:
    said = authorization()
    for how, fields in wrong(said, parameter):
        answer = Client().get(f"/authorize?{urlencode(fields)}")
        assert answer.status_code in (200, 302, 400), (how, fields)
        place = answer.get("Location", "")
        if place.startswith("/authorize?"):
            # A token in an address: the same page without it.
            assert assembled_token().rsplit("_", 1)[1] not in place
        elif answer.status_code == 302:
            assert place.startswith(f"{CLAUDE_REDIRECT}?"), (how, fields)
            assert "error=" in place
        assert urlsplit(place).hostname in (None, "claude.ai")
        # An unknown scope is ignored, however long.
        if how == "doubled" or (how == "long" and parameter != "scope"):
            assert answer.status_code == (400 if how == "doubled" or not place else 302), (how, fields)
    assert not Grant.objects.exists()
    assert not AuditEvent.objects.exists()


def fields_of(browser: Client, page: str, token: str) -> dict[str, str]:
    """The whole form of a page, as far as a browser sends it with one of its buttons."""
    first = ask(browser)
    if page == "first":
        return {**hidden(first), "token": token, "days": "30", "access": "full"}
    carried = hidden(submit(browser, first, token))
    if page == "deny":
        return {"request": carried["request"], "decision": "deny"}
    return {"pending": carried["pending"], "decision": "allow"}


@pytest.mark.parametrize("page", ["first", "allow", "deny"])
def test_a_wrong_field_of_a_page_gives_no_access(acme: Town, page: str) -> None:
    token, browser = acme["member"].caller.token, Client()
    said = fields_of(browser, page, token)
    path = "/authorize" if page == "first" else "/authorize/decision"
    for parameter in said:
        # A choice or a token that is none is a form to fill in again.
        statuses = {200, 400, 409, 429} if parameter in ("days", "access", "token") else {400, 403}
        # What is no “allow” denies.
        statuses |= {200} if (page, parameter) == ("deny", "decision") else set()
        for how, fields in wrong(said, parameter):
            if how == "doubled":
                continue
            answer = browser.post(path, urlencode(fields), content_type=FORM)
            assert answer.status_code in statuses, (parameter, how, answer.status_code)
            assert "error=access_denied" in answer.get("Refresh", "error=access_denied")
            assert token.rsplit("_", 1)[1] not in answer.content.decode()
    assert not Grant.objects.exists()
    # The same form, whole, still counts.
    assert browser.post(path, urlencode(said), content_type=FORM).status_code in (200, 429)


METADATA = {
    "redirect_uris": [LOOPBACK],
    "client_name": "Claude",
    "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "scope": "hoursmith:read",
}
OTHER_VALUES = (None, 1, -1.5, True, "", "x", "é\u202e\x00", [], [1], [None], {}, {"a": [1]}, [["x"]], LONG[:9000])


@pytest.mark.parametrize("member", sorted(METADATA))
def test_no_value_in_a_registration_is_a_fault_or_gives_more(client: Client, member: str) -> None:
    for value in OTHER_VALUES:
        said = {**METADATA, member: value}
        answer = client.post("/register", json.dumps(said), content_type="application/json")
        assert answer.status_code in (201, 400), (value, answer.content)
        found = answer.json()
        if answer.status_code == 201:
            assert found["redirect_uris"] == [LOOPBACK]
            assert set(found["scope"].split()) <= {"hoursmith:read", "hoursmith:write", "offline_access"}
            assert len(found["client_id"]) < 400
        else:
            assert found["error"] in ("invalid_client_metadata", "invalid_redirect_uri")
    twice = json.dumps(METADATA)[:-1] + f', "{member}": {json.dumps(METADATA[member])}}}'
    assert client.post("/register", twice, content_type="application/json").status_code in (201, 400)
