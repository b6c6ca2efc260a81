"""The ways to connect that are clicked through in a client: each value to enter, and when a way is offered."""

import base64
import json
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from pytest_django import Settings

from hoursmith_console.connections.catalogue import MCP_CLIENTS, Family
from hoursmith_console.connections.catalogue.mcp_client import Method
from hoursmith_console.connections.catalogue.pages import client_setup

ORIGIN = "https://console.northwind.example"
URL = f"{ORIGIN}/mcp/c/9d2f61"
SLOT = "<paste the token here>"
VALUE = f"Bearer {SLOT}"
HEADER, SIGN_IN = "With the token in a header", "By sign-in"
# What is entered, in the order of the steps.
GOLDEN: dict[str, dict[str, list[str]]] = {
    "claude-desktop": {"Install the extension": [SLOT]},
    "claude": {HEADER: [URL, VALUE], SIGN_IN: [URL]},
    "chatgpt": {SIGN_IN: [URL]},
    "copilot-studio": {HEADER: [URL, VALUE], SIGN_IN: [URL]},
    "le-chat": {HEADER: [URL, SLOT], SIGN_IN: [URL]},
}


def methods(key: str, **options: Any) -> dict[str, Method]:
    return {made.title: made for made in MCP_CLIENTS[key].methods_for(url=URL, **options)}


def values(method: Method) -> list[str]:
    return [snippet.text for step in method.steps for snippet in step.snippets]


@pytest.mark.parametrize("key", GOLDEN)
def test_exactly_this_is_entered(key: str) -> None:
    found = methods(key)

    assert {title: values(method) for title, method in found.items()} == GOLDEN[key]
    # Where there is a header, it comes first.
    assert list(found) == list(GOLDEN[key])
    assert [title for title, method in found.items() if method.signs_in] == [t for t in found if t == SIGN_IN]


def test_gemini_enterprise_is_registered_by_an_admin_and_has_the_shared_address() -> None:
    spark, enterprise = methods("gemini").values()
    _, readonly = methods("gemini", access="readonly").values()
    (register,) = [step.link.address for step in enterprise.steps if step.link]

    assert values(spark) == [URL]
    assert register == ORIGIN + reverse("console:connections:register")
    # Not the address of one member's connection: others sign in there too.
    assert values(enterprise) == [f"{ORIGIN}/mcp"]
    assert values(readonly) == [f"{ORIGIN}/mcp/readonly"]


@pytest.mark.parametrize("key", [key for key, client in MCP_CLIENTS.items() if client.methods])
def test_read_only_access_is_another_address(key: str) -> None:
    full, readonly = methods(key), methods(key, access="readonly")

    for title, method in full.items():
        links = [step.link.address for step in method.steps if step.link]
        other = [step.link.address for step in readonly[title].steps if step.link]
        assert values(method) != values(readonly[title]) or links != other
        assert not any(URL in value.split() for value in values(readonly[title]))


def test_claude_desktop_downloads_the_extension_of_its_connection() -> None:
    (full,), (readonly,) = methods("claude-desktop").values(), methods("claude-desktop", access="readonly").values()

    assert [step.link.address for step in full.steps if step.link] == [f"{ORIGIN}/connect/c/9d2f61/hoursmith.mcpb"]
    assert [step.link.address for step in readonly.steps if step.link] == [
        f"{ORIGIN}/connect/c/9d2f61/readonly/hoursmith.mcpb"
    ]


@pytest.mark.parametrize(
    ("key", "section", "entry"),
    [("cursor", "mcpServers", {"url": URL}), ("vscode", "servers", {"type": "http", "url": URL})],
)
def test_an_editor_that_signs_in_has_the_address_alone(key: str, section: str, entry: dict[str, str]) -> None:
    (method,) = methods(key).values()
    (link,) = [step.link.address for step in method.steps if step.link]

    assert method.signs_in
    assert [json.loads(value) for value in values(method)] == [{section: {"hoursmith": entry}}]
    if key == "cursor":
        (packed,) = parse_qs(urlsplit(link).query)["config"]
        assert json.loads(base64.b64decode(packed, validate=True)) == entry
    else:
        assert json.loads(unquote(link.partition("?")[2])) == {"name": "hoursmith", **entry}


def test_every_client_has_a_file_or_another_way() -> None:
    assert [key for key, client in MCP_CLIENTS.items() if client.config is None and not client.methods] == []
    hosted = {key for key, client in MCP_CLIENTS.items() if client.family is Family.HOSTED}
    assert hosted == {"claude", "chatgpt", "copilot-studio", "le-chat", "gemini"}


def shown(key: str, url: str = URL) -> str:
    setup = client_setup(MCP_CLIENTS[key], url=url)
    return unescape(render_to_string("connections/_snippets.html", {"setup": setup}))


@pytest.mark.parametrize("key", [key for key, client in MCP_CLIENTS.items() if client.methods])
def test_sign_in_is_explained_only_where_this_console_offers_it(settings: Settings, key: str) -> None:
    signing_in = [method for method in methods(key).values() if method.signs_in]
    settings.OAUTH = True
    offered = shown(key)
    settings.OAUTH = False
    refused = shown(key)

    for method in methods(key).values():
        for step in method.steps:
            assert step.text in offered
            assert method.signs_in or step.text in refused
    assert refused.count("An operator turns it on with") == len(signing_in)
    assert ("A page of this console opens" in offered, "A page of this console opens" in refused) == (
        bool(signing_in),
        False,
    )
    assert "An operator turns it on with" not in offered


@pytest.mark.parametrize(
    ("url", "is_said"),
    [
        ("https://console.example/mcp", False),
        ("https://93.184.215.14/mcp", False),
        ("http://console.example/mcp", True),
        ("https://localhost/mcp", True),
        ("http://127.0.0.1:8000/mcp", True),
        ("https://10.0.0.7/mcp", True),
        ("https://[fd00::7]/mcp", True),
        ("https://console/mcp", True),
    ],
)
def test_a_hosted_assistant_is_told_when_the_address_is_not_public(url: str, is_said: bool) -> None:
    assert ("Not reachable from the internet" in shown("chatgpt", url)) is is_said
    assert "Not reachable" not in shown("cursor", url)


def test_systems_are_offered_only_where_they_differ() -> None:
    offered = {key for key in MCP_CLIENTS if "Operating system" in shown(key)}

    assert offered >= {"cursor", "vscode", "claude-code"}
    assert not offered & {"claude-desktop", "claude", "chatgpt", "le-chat", "mcp-stdio"}
