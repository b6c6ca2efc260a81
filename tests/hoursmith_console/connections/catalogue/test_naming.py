"""Which client is it that calls itself so?"""

import pytest

from hoursmith_console.connections.catalogue import MCP_CLIENTS, McpClient, identify_client


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("claude-ai", "claude-desktop"),
        ("Claude Desktop", "claude-desktop"),
        ("claude-code", "claude-code"),
        ("claude-code/2.1.278", "claude-code"),
        ("Claude Code", "claude-code"),
        ("cursor-vscode", "cursor"),
        ("Cursor", "cursor"),
        ("Visual Studio Code", "vscode"),
        ("Visual Studio Code - Insiders", "vscode"),
        ("Windsurf", "windsurf"),
        ("windsurf-client", "windsurf"),
        ("Zed", "zed"),
        ("codex-mcp-client", "codex"),
        ("gemini-cli-mcp-client", "gemini-cli"),
        ("gemini-cli-mcp-client-hoursmith", "gemini-cli"),
        ("Cline", "cline"),
        ("@cline/core", "cline"),
        ("continue-cli-client", "continue"),
        ("continue-client", "continue"),
        ("qwen-cli-mcp-client-hoursmith", "qwen-code"),
        ("gemini-cli-mcp-hoursmith", "gemini-cli"),
        ("crush", "crush"),
        ("amp", "amp"),
        ("droid", "droid"),
        ("auggie", "auggie"),
        ("Roo Code", "roo-code"),
        ("goose", "goose"),
        ("lmstudio-mcp-bridge", "lm-studio"),
        ("opencode", "opencode"),
        ("github-copilot-developer", "copilot-cli"),
        ("claude-ai (via mcp-remote 0.1.37)", "claude-desktop"),
        ("mcp-remote", "mcp-remote"),
        ("Anthropic/ClaudeAI", "claude"),
        ("Claude-User", "claude"),
        ("openai-mcp", "chatgpt"),
        ("ChatGPT-User/1.0", "chatgpt"),
        ("mcs", "copilot-studio"),
    ],
)
def test_a_known_name_is_recognised(name: str, key: str) -> None:
    assert identify_client(name) == key


@pytest.mark.parametrize(
    "name", ["", "zedlike", "cursory", "python-httpx", "/", "my claude", "(via mcp-remote 1)", "–"]
)
def test_other_names_are_nobodys(name: str) -> None:
    assert identify_client(name) == ""


def test_no_name_belongs_to_two_clients() -> None:
    aliases = [alias for client in MCP_CLIENTS.values() for alias in client.aliases]

    assert len(aliases) == len(set(aliases))
    assert [alias for alias in aliases if alias != alias.lower() or " " in alias] == []


@pytest.mark.parametrize("client", MCP_CLIENTS.values(), ids=MCP_CLIENTS)
def test_every_client_recognises_itself_and_says_what_to_do(client: McpClient) -> None:
    assert [alias for alias in client.aliases if identify_client(alias) != client.key] == []
    assert client.restart.endswith(".")
    assert client.problems or client.notes
