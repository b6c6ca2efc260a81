"""Each client's configuration, command and link, read back whole with a real parser: one wrong letter is a fault.

Sources: the clients' own documentation, as gathered in November 2026.
"""

import base64
import json
import shlex
import tomllib
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from hoursmith_console.connections.catalogue import MCP_CLIENTS, Snippet, System

URL = "https://console.northwind.example/mcp/c/9d2f61"
PREFIX = "4f8a2c1bdedf"
SLOT = "<paste the token here>"
BEARER_SLOT = {"Authorization": f"Bearer {SLOT}"}
BRACED = {"Authorization": "Bearer ${HOURSMITH_API_TOKEN}"}
ENV = {"Authorization": "Bearer ${env:HOURSMITH_API_TOKEN}"}
REMOTE = {
    "command": "npx",
    "args": ["-y", "mcp-remote", URL, "--transport", "http-only", "--header", "Authorization:${AUTH_HEADER}"],
    "env": {"AUTH_HEADER": f"Bearer {SLOT}"},
}
ROO_PROJECT = {
    "command": "npx",
    "args": [
        *["-y", "mcp-remote", URL, "--transport", "http-only"],
        *["--header", "Authorization:Bearer ${env:HOURSMITH_API_TOKEN}"],
    ],
}
INPUT = {
    "type": "promptString",
    "id": "hoursmith-token-4f8a2c1bdedf",
    "description": "Hoursmith token",
    "password": True,
}
VS_CODE = {
    "type": "http",
    "url": URL,
    "headers": {"Authorization": "Bearer ${input:hoursmith-token-4f8a2c1bdedf}"},
}


def servers(entry: dict[str, Any], key: str = "mcpServers") -> dict[str, Any]:
    return {key: {"hoursmith": entry}}


GOLDEN: dict[str, list[dict[str, Any]]] = {
    **{key: [] for key in ("claude-desktop", "claude", "chatgpt", "copilot-studio", "le-chat", "gemini")},
    "claude-code": [servers({"type": "http", "url": URL, "headers": BRACED})],
    "cursor": [servers({"url": URL, "headers": ENV})],
    "vscode": [{"inputs": [INPUT], **servers(VS_CODE, "servers")}],
    "windsurf": [
        servers({"serverUrl": URL, "headers": ENV}),
        servers({"serverUrl": URL, "headers": BEARER_SLOT}),
    ],
    "zed": [servers({"url": URL, "headers": BEARER_SLOT}, "context_servers")],
    "cline": [servers({"type": "streamableHttp", "url": URL, "headers": BEARER_SLOT, "disabled": False})],
    "roo-code": [
        servers({"type": "streamable-http", "url": URL, "headers": BEARER_SLOT, "disabled": False}),
        servers(ROO_PROJECT),
    ],
    "lm-studio": [servers({"url": URL, "headers": BEARER_SLOT})],
    "codex": [servers({"url": URL, "bearer_token_env_var": "HOURSMITH_API_TOKEN"}, "mcp_servers")],
    "gemini-cli": [servers({"httpUrl": URL, "headers": {"Authorization": "Bearer $HOURSMITH_API_TOKEN"}})],
    "goose": [
        servers(
            {
                "enabled": True,
                "type": "streamable_http",
                "name": "hoursmith",
                "uri": URL,
                "env_keys": ["HOURSMITH_API_TOKEN"],
                "headers": BRACED,
                "timeout": 300,
            },
            "extensions",
        )
    ],
    "opencode": [
        servers(
            {
                "type": "remote",
                "url": URL,
                "enabled": True,
                "oauth": False,
                "headers": {"Authorization": "Bearer {env:HOURSMITH_API_TOKEN}"},
            },
            "mcp",
        )
    ],
    "copilot-cli": [
        servers({"type": "http", "url": URL, "headers": BRACED}),
        servers({"type": "http", "url": URL, "headers": BEARER_SLOT}),
    ],
    "continue": [
        {
            "name": "Hoursmith",
            "version": "1.0.0",
            "schema": "v1",
            "mcpServers": [
                {
                    "name": "hoursmith",
                    "type": "streamable-http",
                    "url": URL,
                    "requestOptions": {
                        "headers": {"Authorization": "Bearer ${{ secrets.HOURSMITH_API_TOKEN }}"},
                    },
                }
            ],
        }
    ],
    "qwen-code": [servers({"httpUrl": URL, "headers": BRACED})],
    "droid": [
        servers({"type": "http", "url": URL, "headers": BRACED}),
        servers({"type": "http", "url": URL, "headers": BEARER_SLOT}),
    ],
    "auggie": [servers({"type": "http", "url": URL, "headers": BEARER_SLOT})],
    "amp": [servers({"url": URL, "headers": BRACED}, "amp.mcpServers")],
    "crush": [
        servers({"type": "http", "url": URL, "headers": {"Authorization": "Bearer $HOURSMITH_API_TOKEN"}}, "mcp"),
    ],
    "mcp-remote": [servers(REMOTE)],
    "mcp-stdio": [
        servers(
            {
                "command": "/opt/console/.venv/bin/python",
                "args": ["/opt/console/manage.py", "mcp_stdio", "--connection", "9d2f61"],
                "env": {"HOURSMITH_API_TOKEN": SLOT},
            }
        )
    ],
    "vendor": [
        servers({"command": "npx", "args": ["-y", "@hoursmith/mcp-server"], "env": {"HOURSMITH_API_TOKEN": SLOT}})
    ],
}
COMMANDS = {
    "claude-code": [
        *["claude", "mcp", "add", "--transport", "http", "hoursmith", URL],
        *["--header", "Authorization: Bearer ${HOURSMITH_API_TOKEN}"],
    ],
    "codex": ["codex", "mcp", "add", "hoursmith", "--url", URL, "--bearer-token-env-var", "HOURSMITH_API_TOKEN"],
    "copilot-cli": [
        *["copilot", "mcp", "add", "--transport", "http", "hoursmith", URL],
        *["--header", "Authorization: Bearer ${HOURSMITH_API_TOKEN}"],
    ],
    "qwen-code": [
        *["qwen", "mcp", "add", "--scope", "user", "--transport", "http", "hoursmith", URL],
        *["--header", "Authorization: Bearer ${HOURSMITH_API_TOKEN}"],
    ],
    "droid": [
        *["droid", "mcp", "add", "hoursmith", URL, "--type", "http"],
        *["--header", "Authorization: Bearer ${HOURSMITH_API_TOKEN}"],
    ],
}
FILES = {
    "claude-code": ("~/.claude.json", r"%USERPROFILE%\.claude.json", "~/.claude.json"),
    "cursor": ("~/.cursor/mcp.json", r"%USERPROFILE%\.cursor\mcp.json", "~/.cursor/mcp.json"),
    "windsurf": (
        "~/.codeium/windsurf/mcp_config.json",
        r"%USERPROFILE%\.codeium\windsurf\mcp_config.json",
        "~/.codeium/windsurf/mcp_config.json",
    ),
    "zed": ("~/.config/zed/settings.json", r"%APPDATA%\Zed\settings.json", "~/.config/zed/settings.json"),
    "lm-studio": ("~/.lmstudio/mcp.json", r"%USERPROFILE%\.lmstudio\mcp.json", "~/.lmstudio/mcp.json"),
    "codex": ("~/.codex/config.toml", r"%USERPROFILE%\.codex\config.toml", "~/.codex/config.toml"),
    "gemini-cli": ("~/.gemini/settings.json", r"%USERPROFILE%\.gemini\settings.json", "~/.gemini/settings.json"),
    "goose": (
        "~/.config/goose/config.yaml",
        r"%APPDATA%\Block\goose\config\config.yaml",
        "~/.config/goose/config.yaml",
    ),
    "opencode": (
        "~/.config/opencode/opencode.json",
        r"%USERPROFILE%\.config\opencode\opencode.json",
        "~/.config/opencode/opencode.json",
    ),
    "copilot-cli": (
        "~/.copilot/mcp-config.json",
        r"%USERPROFILE%\.copilot\mcp-config.json",
        "~/.copilot/mcp-config.json",
    ),
    "continue": ("~/.continue/config.yaml", r"%USERPROFILE%\.continue\config.yaml", "~/.continue/config.yaml"),
    "qwen-code": ("~/.qwen/settings.json", r"%USERPROFILE%\.qwen\settings.json", "~/.qwen/settings.json"),
    "droid": ("~/.factory/mcp.json", r"%USERPROFILE%\.factory\mcp.json", "~/.factory/mcp.json"),
    "auggie": ("~/.augment/settings.json", r"%USERPROFILE%\.augment\settings.json", "~/.augment/settings.json"),
    "amp": (
        "~/.config/amp/settings.json",
        r"%USERPROFILE%\.config\amp\settings.json",
        "~/.config/amp/settings.json",
    ),
    "crush": (
        "~/.config/crush/crush.json",
        r"%USERPROFILE%\.config\crush\crush.json",
        "~/.config/crush/crush.json",
    ),
}
SHARED = {
    "claude-code": ".mcp.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".vscode/mcp.json",
    "roo-code": ".roo/mcp.json",
    "gemini-cli": ".gemini/settings.json",
    "opencode": "opencode.json",
    "continue": ".continue/mcpServers/hoursmith.yaml",
    "qwen-code": ".qwen/settings.json",
    "droid": ".factory/mcp.json",
    "amp": ".amp/settings.json",
    "crush": "crush.json",
}
READERS = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}


def snippets(key: str, **options: Any) -> list[Snippet]:
    return MCP_CLIENTS[key].snippets(url=URL, prefix=PREFIX, folder="/opt/console", **options)


def configurations(key: str, **options: Any) -> list[dict[str, Any]]:
    return [READERS[made.language](made.text) for made in snippets(key, **options) if made.language in READERS]


def test_every_client_is_golden() -> None:
    assert set(GOLDEN) == set(MCP_CLIENTS)


@pytest.mark.parametrize("key", GOLDEN)
def test_the_configuration_is_exactly_this(key: str) -> None:
    assert configurations(key) == GOLDEN[key]


@pytest.mark.parametrize("key", [key for key, made in GOLDEN.items() if made and key not in ("mcp-stdio", "vendor")])
def test_read_only_access_is_the_same_at_another_address(key: str) -> None:
    full = json.dumps(configurations(key))

    assert json.loads(full.replace(URL, f"{URL}/readonly")) == configurations(key, access="readonly")
    assert f"{URL}/readonly" in json.dumps(configurations(key, access="readonly"))


def test_the_consoles_own_command_is_told_to_be_read_only() -> None:
    (config,) = configurations("mcp-stdio", access="readonly")

    arguments = ["/opt/console/manage.py", "mcp_stdio", "--readonly", "--connection", "9d2f61"]
    assert config["mcpServers"]["hoursmith"]["args"] == arguments
    assert not MCP_CLIENTS["vendor"].has_readonly


@pytest.mark.parametrize("key", MCP_CLIENTS)
def test_the_command_reaches_the_program_as_meant(key: str) -> None:
    lines = {made.language: made for made in snippets(key) if made.language not in READERS}

    if key not in COMMANDS:
        assert lines == {}
        return
    assert shlex.split(lines["sh"].text) == COMMANDS[key]
    assert lines["sh"].systems == (System.MACOS, System.LINUX)
    assert lines["powershell"].systems == (System.WINDOWS,)
    # In these words the two shells agree: single quotes keep everything as it is.
    assert lines["powershell"].text == lines["sh"].text
    assert all("$" not in part for part in lines["sh"].text.split("'")[::2])


@pytest.mark.parametrize("key", FILES)
def test_a_persons_own_file_lies_there(key: str) -> None:
    own = [place for place in MCP_CLIENTS[key].config_files if not place.is_shared]

    assert [tuple(place.paths[system] for system in System) for place in own] == [FILES[key]]


@pytest.mark.parametrize("key", MCP_CLIENTS)
def test_a_projects_file_counts_as_committed(key: str) -> None:
    shared = [place.paths[System.LINUX] for place in MCP_CLIENTS[key].config_files if place.is_shared]

    assert shared == ([SHARED[key]] if key in SHARED else [])


def test_the_files_of_vs_code_and_its_extensions_lie_in_its_folder() -> None:
    for key, tail in {
        "vscode": "User/mcp.json",
        "cline": "User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        "roo-code": "User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
    }.items():
        paths = MCP_CLIENTS[key].config_files[0].paths
        assert paths[System.MACOS] == f"~/Library/Application Support/Code/{tail}"
        assert paths[System.WINDOWS] == "%APPDATA%\\Code\\" + tail.replace("/", "\\")
        assert paths[System.LINUX] == f"~/.config/Code/{tail}"


def test_clines_command_line_has_a_file_of_its_own() -> None:
    places = {place.title: place.paths for place in MCP_CLIENTS["cline"].config_files}

    assert places["For Cline’s CLI"] == {
        System.MACOS: "~/.cline/data/settings/cline_mcp_settings.json",
        System.WINDOWS: r"%USERPROFILE%\.cline\data\settings\cline_mcp_settings.json",
        System.LINUX: "~/.cline/data/settings/cline_mcp_settings.json",
    }


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("gemini-cli", '"type": "http" does too'),
        ("gemini-cli", "gemini mcp list shows Disabled"),
        ("copilot-cli", "Before 1.0.102 it does not expand ${HOURSMITH_API_TOKEN}"),
        ("claude-code", ".mcp.json needs approval"),
        ("cline", "Cline’s CLI has its own file"),
        ("amp", "amp mcp approve hoursmith"),
        ("auggie", "Sources disagree"),
        ("droid", "Not all sources say"),
        ("qwen-code", "documentation is inconsistent"),
    ],
)
def test_what_has_to_be_known_is_said(key: str, said: str) -> None:
    assert said in " ".join((*MCP_CLIENTS[key].problems, *MCP_CLIENTS[key].notes))


def test_the_link_for_cursor_carries_the_entry() -> None:
    address = urlsplit(link("cursor"))
    query = parse_qs(address.query, strict_parsing=True)

    assert f"{address.scheme}://{address.netloc}{address.path}" == "cursor://anysphere.cursor-deeplink/mcp/install"
    assert query["name"] == ["hoursmith"]
    assert decoded(query["config"][0]) == {"url": URL, "headers": ENV}


def test_the_link_for_vs_code_carries_entry_and_question() -> None:
    scheme, _, query = link("vscode").partition("?")

    assert scheme == "vscode:mcp/install"
    assert json.loads(unquote(query)) == {"name": "hoursmith", **VS_CODE, "inputs": [INPUT]}
    assert not set(query) & set(' "{}<>#?&+:/')


def test_the_link_for_lm_studio_carries_a_placeholder() -> None:
    address = urlsplit(link("lm-studio"))
    query = parse_qs(address.query, strict_parsing=True)

    assert f"{address.scheme}://{address.netloc}" == "lmstudio://add_mcp"
    assert query["name"] == ["hoursmith"]
    assert decoded(query["config"][0]) == {"url": URL, "headers": BEARER_SLOT}


def link(key: str) -> str:
    made = MCP_CLIENTS[key].install_link(url=URL, prefix=PREFIX)
    assert made is not None
    return made.address


def decoded(config: str) -> Any:
    return json.loads(base64.b64decode(config, validate=True))


def test_no_other_client_has_a_link() -> None:
    linked = {key for key, client in MCP_CLIENTS.items() if client.install_link(url=URL)}

    assert linked == {"cursor", "vscode", "lm-studio"}
