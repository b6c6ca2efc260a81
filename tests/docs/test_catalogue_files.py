"""`server.json`, `llms-install.md` and the README's install links say what the catalogue of AI clients says."""

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jsonschema_rs
import pytest

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from tests.docs.catalogue_files import files, install_links, server_json
from tests.paths import ROOT

FILES = files()
SCHEMA = json.loads((ROOT / "tests/docs/server_schema.json").read_text("utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_is_made_of_the_catalogue(path: Path) -> None:
    assert path.read_text("utf-8") == FILES[path], "Run make catalogue."


def test_the_description_keeps_to_the_registrys_schema() -> None:
    jsonschema_rs.validate(SCHEMA, server_json())


def changed(**members: Any) -> dict[str, Any]:
    made = server_json()
    remote = made["remotes"][0]
    for name, value in members.items():
        (remote if name in remote and name != "name" else made)[name] = value
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        changed(description="x" * 101),
        changed(name="hoursmith"),
        changed(version="latest"),
        changed(type="http"),
        changed(url="{console}/mcp"),
        changed(headers={"Authorization": "Bearer"}),
        changed(headers=[{"name": "Authorization", "secret": True}]),
        changed(packages=[]),
    ],
)
def test_the_schema_refuses_what_the_registry_would(wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(SCHEMA, wrong)


def test_a_registry_asks_for_the_consoles_host_and_may_ask_for_a_token() -> None:
    for remote, path in zip(server_json()["remotes"], ("/mcp", "/mcp/readonly"), strict=True):
        (header,) = remote["headers"]
        assert remote["url"].format(console="console.example") == f"https://console.example{path}"
        assert set(re.findall(r"{(\w+)}", remote["url"])) == set(remote["variables"])
        assert (header["name"], header["isSecret"], header["isRequired"]) == ("Authorization", True, False)


def test_an_agent_is_told_of_every_client_and_given_no_token() -> None:
    text = (ROOT / "llms-install.md").read_text("utf-8")
    titles = {client.title for client in MCP_CLIENTS.values() if client.key not in ("vendor", "mcp-stdio")}

    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) == titles
    assert not re.search(r"hsk_|hse_", text)
    for language, block in re.findall(r"^```(json)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        assert "hoursmith" in json.dumps(json.loads(block)), language


def test_the_install_links_sign_in_at_the_console_of_make_run() -> None:
    cursor, vscode = re.findall(r"\((https://\S+)\)", install_links())
    query = parse_qs(urlsplit(cursor).query, strict_parsing=True)
    (target,) = parse_qs(urlsplit(vscode).query, strict_parsing=True)["url"]

    assert query["name"] == ["hoursmith"]
    assert json.loads(base64.b64decode(query["config"][0])) == {"url": "http://127.0.0.1:8000/mcp"}
    assert target.startswith("vscode:mcp/install?")
    entry = {"name": "hoursmith", "type": "http", "url": "http://127.0.0.1:8000/mcp"}
    assert json.loads(unquote(target.partition("?")[2])) == entry
