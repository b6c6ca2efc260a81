"""What pages are given to show, and what the fragments make of it."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from pytest_django import Settings

from hoursmith_console.connections.catalogue import MCP_CLIENTS, SLOT, Family, System
from hoursmith_console.connections.catalogue.mcp_client import Target
from hoursmith_console.connections.catalogue.pages import catalogue_families, client_setup, example_prompts
from mcpbridge.core.credential import CredentialError
from mcpbridge.tools.prompts import PROMPTS
from tests.token_shapes import assembled_token

URL = "https://console.example/mcp"


def fragment(key: str, name: str, token: str | None = None) -> str:
    return render_to_string(f"connections/{name}.html", {"setup": client_setup(MCP_CLIENTS[key], url=URL, token=token)})


@pytest.mark.parametrize("key", MCP_CLIENTS)
def test_a_fragment_shows_all_there_is_and_no_token(key: str, settings: Settings) -> None:
    settings.OAUTH = True
    html = unescape(fragment(key, "_snippets"))

    for snippet in MCP_CLIENTS[key].snippets(url=URL):
        assert snippet.text in html
        for paths in snippet.files.values():
            assert [path for path in paths if path not in html] == []
    assert MCP_CLIENTS[key].restart in html
    assert "hsk_" not in html
    assert "<script" not in html
    assert "style=" not in html


@pytest.mark.parametrize("key", MCP_CLIENTS)
def test_the_page_that_shows_a_token_once_leaves_no_placeholder(key: str, token: str) -> None:
    html = unescape(fragment(key, "_snippets", token))
    setup = client_setup(MCP_CLIENTS[key], url=URL, token=token)

    assert SLOT not in html
    entered = [snippet for method in setup.methods for step in method.steps for snippet in step.snippets]
    holds = any(snippet.holds_token for snippet in (*setup.variables, *setup.configurations, *entered))
    assert (token in html) is holds
    assert token not in (setup.link.address if setup.link else "")


@pytest.mark.parametrize("key", [key for key, client in MCP_CLIENTS.items() if client.language == "yaml"])
def test_a_file_in_yaml_is_left_to_the_user(key: str) -> None:
    html = fragment(key, "_merge")

    assert client_setup(MCP_CLIENTS[key], url=URL).merge is None
    assert "<script" not in html
    assert "which this page can’t merge" in html


@pytest.mark.parametrize(
    "key", [key for key, client in MCP_CLIENTS.items() if client.config is not None and client.language != "yaml"]
)
def test_the_merging_script_is_told_the_same_as_the_person(key: str, token: str) -> None:
    setup = client_setup(MCP_CLIENTS[key], url=URL, token=token)
    html = fragment(key, "_merge", token)
    found = re.search(rf'<script id="merge-{key}" type="application/json">(.*?)</script>', html)

    assert found is not None
    told = json.loads(found[1])
    assert told == setup.merge
    assert 'data-merge="/static/console/merge/worker.js"' in html
    assert told["text"] == setup.configurations[0].text
    config = MCP_CLIENTS[key].config
    assert config is not None
    assert told["language"] == MCP_CLIENTS[key].language
    assert [piece["path"] for piece in told["pieces"] if "family" not in piece] == [
        [next(name for name in config(Target(URL)) if name != "inputs"), "hoursmith"]
    ]


def test_a_file_that_is_usually_committed_is_warned_of() -> None:
    warned = {key for key in MCP_CLIENTS if "Usually committed" in fragment(key, "_snippets")}

    assert warned == {
        key for key, client in MCP_CLIENTS.items() if any(place.is_shared for place in client.config_files)
    }
    assert {"claude-code", "cursor", "vscode", "roo-code", "gemini-cli", "opencode"} < warned
    assert ".roo/mcp.json" in fragment("roo-code", "_snippets")


def test_what_is_no_token_is_not_put_anywhere() -> None:
    with pytest.raises(CredentialError):
        client_setup(MCP_CLIENTS["zed"], url=URL, token="anything")
    assert client_setup(MCP_CLIENTS["zed"], url=URL).has_placeholder
    assert not client_setup(MCP_CLIENTS["zed"], url=URL, token=assembled_token()).has_placeholder


def test_files_name_their_systems() -> None:
    (configuration,) = client_setup(MCP_CLIENTS["claude-code"], url=URL).configurations

    assert [(file.path, file.systems, file.is_shared) for file in configuration.files] == [
        ("~/.claude.json", (System.MACOS, System.LINUX), False),
        (r"%USERPROFILE%\.claude.json", (System.WINDOWS,), False),
        (".mcp.json", tuple(System), True),
    ]


def test_every_client_belongs_to_one_family() -> None:
    families = catalogue_families()

    assert [family for family, _ in families] == list(Family)
    assert sorted(client.key for _, clients in families for client in clients) == sorted(MCP_CLIENTS)
    assert all(clients for _, clients in families)


def test_example_prompts_can_be_copied_and_fit_the_access() -> None:
    full = render_to_string("connections/_ask.html", {"prompts": example_prompts()})
    reading = render_to_string("connections/_ask.html", {"prompts": example_prompts(is_readonly=True)})

    assert full.count("data-copy=") == len(PROMPTS)
    assert "Which invoices are still unpaid" in reading
    assert "Create a client" in full
    assert "Create a client" not in reading


def test_the_readme_gives_the_catalogues_own_command() -> None:
    command = MCP_CLIENTS["claude-code"].command_line(url="http://127.0.0.1:8000/mcp")

    assert command in (Path(__file__).resolve().parents[4] / "README.md").read_text("utf-8").splitlines()
    assert MCP_CLIENTS["zed"].command_line(url=URL) == ""
