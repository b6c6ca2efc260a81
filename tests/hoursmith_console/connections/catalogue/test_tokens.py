"""Where a token may stand, and where never."""

import base64
import json
import re
import shlex
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoursmith_console.connections.catalogue import MCP_CLIENTS, SLOT, Link, Secret, Snippet, System
from hoursmith_console.connections.catalogue.variables import variable_snippets
from mcpbridge.auth.credentials import credential_from_headers
from mcpbridge.core.credential import CredentialError, CredentialErrorCode
from tests.token_shapes import assembled_token

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIXES = st.text(ALPHABET, min_size=12, max_size=12)
TOKENS = st.builds(assembled_token, prefix=PREFIXES, secret=st.text(ALPHABET, min_size=32, max_size=32))
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,20}\.example", fullmatch=True)
URL = "https://console.example/mcp"
WITH_A_FILE = [key for key, client in MCP_CLIENTS.items() if client.config is not None]


def everything(key: str, url: str = URL, prefix: str | None = None, access: Any = "full") -> list[Snippet]:
    client = MCP_CLIENTS[key]
    steps = [step for made in client.methods_for(url=url, access=access) for step in made.steps]
    values = [snippet for step in steps for snippet in step.snippets]
    return [*client.snippets(url=url, prefix=prefix, access=access), *values, *variable_snippets(client)]


def links(key: str, url: str, prefix: str, access: Any) -> list[Link]:
    client = MCP_CLIENTS[key]
    entered = [step.link for made in client.methods_for(url=url, access=access) for step in made.steps]
    return [link for link in (client.install_link(url=url, prefix=prefix, access=access), *entered) if link is not None]


@given(
    st.sampled_from(sorted(MCP_CLIENTS)),
    HOSTS,
    st.sampled_from(["/mcp", "/mcp/c/9d2f61"]),
    TOKENS,
    st.sampled_from(["full", "readonly"]),
)
def test_a_token_stands_only_in_snippets_that_say_so_and_never_in_a_link(
    key: str, host: str, path: str, token: str, access: Any
) -> None:
    url, prefix = f"https://{host}{path}", token.split("_")[2]
    for snippet in everything(key, url, prefix, access):
        filled = snippet.render(token)
        assert (token in filled) is snippet.holds_token
        assert SLOT not in filled
        assert filled.replace(token, SLOT) == snippet.text
        assert re.search(r"hsk_", snippet.text) is None
    for made in links(key, url, prefix, access):
        config = made.address.rpartition("config=")[2]
        shown = unquote(made.address) + (
            base64.b64decode(unquote(config)).decode() if "config=" in made.address else ""
        )
        assert "hsk_" not in shown
        assert token.rpartition("_")[2] not in shown


@pytest.mark.parametrize("key", WITH_A_FILE)
def test_the_first_form_holds_a_token_only_where_the_client_has_no_reference(key: str) -> None:
    client = MCP_CLIENTS[key]
    first = client.snippets(url=URL)[0]

    assert first.holds_token is (client.secret is Secret.LITERAL)
    assert bool(client.reference) is not first.holds_token


@pytest.mark.parametrize("key", MCP_CLIENTS)
def test_no_form_that_goes_into_a_committed_file_could_do_without_the_token(key: str) -> None:
    """Where it goes there at all, it is by reference."""
    assert [
        snippet for snippet in MCP_CLIENTS[key].snippets(url=URL) if snippet.is_shared and snippet.holds_token
    ] == []


@pytest.mark.parametrize("key", [key for key, client in MCP_CLIENTS.items() if client.secret is Secret.VARIABLE])
def test_the_reference_stands_in_the_first_form(key: str) -> None:
    assert MCP_CLIENTS[key].reference in MCP_CLIENTS[key].snippets(url=URL)[0].text


def test_the_bridge_names_a_placeholder_left_in_place() -> None:
    with pytest.raises(CredentialError) as raised:
        credential_from_headers([f"Bearer {SLOT}".encode()])

    assert raised.value.code is CredentialErrorCode.PLACEHOLDER


@pytest.mark.parametrize("key", [key for key, client in MCP_CLIENTS.items() if client.secret is Secret.VARIABLE])
def test_the_bridge_names_a_reference_that_the_client_did_not_expand(key: str) -> None:
    reference = MCP_CLIENTS[key].reference
    if reference.isidentifier():
        # Codex names the variable in a key of its own, and sends nothing where it is not set.
        return
    with pytest.raises(CredentialError) as raised:
        credential_from_headers([f"Bearer {reference}".encode()])

    assert raised.value.code is CredentialErrorCode.UNEXPANDED


@pytest.mark.parametrize("text", ["", "secret", "hsk_live_short", "'; rm -rf / #", "<paste the token here>"])
def test_only_a_token_fills_the_slot(text: str) -> None:
    with pytest.raises(CredentialError):
        MCP_CLIENTS["zed"].snippets(url=URL)[0].render(text)


def test_a_whole_token_is_no_prefix() -> None:
    token = assembled_token()

    with pytest.raises(ValueError, match="12 letters") as raised:
        MCP_CLIENTS["vscode"].snippets(url=URL, prefix=token)

    assert token.rpartition("_")[2] not in str(raised.value)


def test_vs_code_asks_anew_for_each_token() -> None:
    ids = {
        json.loads(MCP_CLIENTS["vscode"].snippets(url=URL, prefix=prefix)[0].text)["inputs"][0]["id"]
        for prefix in ("4f8a2c1bdedf", "0a1b2c3d4e5f", None)
    }

    assert ids == {"hoursmith-token-4f8a2c1bdedf", "hoursmith-token-0a1b2c3d4e5f", "hoursmith-token"}


@pytest.mark.parametrize("key", MCP_CLIENTS)
def test_whoever_reads_a_variable_is_told_how_to_set_it_on_each_system(key: str) -> None:
    client = MCP_CLIENTS[key]
    told = {system for snippet in variable_snippets(client) for system in snippet.systems}
    is_needed = any("HOURSMITH_API_TOKEN" in made.text and not made.holds_token for made in client.snippets(url=URL))

    assert told == (set(System) if is_needed else set())


def test_the_variable_is_set_to_the_whole_token() -> None:
    token = assembled_token()
    lines = {snippet.systems[0]: snippet.render(token) for snippet in reversed(variable_snippets(MCP_CLIENTS["codex"]))}

    assert shlex.split(lines[System.MACOS]) == ["export", f"HOURSMITH_API_TOKEN={token}"]
    assert shlex.split(lines[System.LINUX]) == ["export", f"HOURSMITH_API_TOKEN={token}"]
    assert lines[System.WINDOWS] == f'setx HOURSMITH_API_TOKEN "{token}"'


def test_apps_from_the_dock_are_told_more_than_terminals() -> None:
    cursor = [snippet.text for snippet in variable_snippets(MCP_CLIENTS["cursor"])]
    codex = [snippet.text for snippet in variable_snippets(MCP_CLIENTS["codex"])]

    assert 'launchctl setenv HOURSMITH_API_TOKEN "$HOURSMITH_API_TOKEN"' in cursor
    assert set(codex) < set(cursor)
