"""Who works with which assistant."""

from hoursmith_console.demo.stage import ELSEWHERE, HOME, Stage


async def hand_out_old_token(stage: Stage) -> None:
    """Give Ben the token that he still has from months ago."""
    ben = await stage.equip(
        "windsurf", "Ben", "Old laptop", name="windsurf", version="1.9.4", is_old=True, address=HOME
    )
    await ben.call("get_me")
    await ben.call("list_clients", limit=20)


async def hand_out_tokens(stage: Stage) -> None:
    """Connect the assistants of the first day."""
    await stage.connect(
        "desktop", "Ana", "claude-desktop", "Ana’s laptop", name="claude-ai", version="0.14.2", is_old=True
    )
    await stage.connect("cursor", "Ben", "cursor", "Ben’s workstation", name="Cursor", version="2.1.6")
    await stage.connect("code", "Carla", "claude-code", "Carla’s laptop", name="claude-code", version="2.0.51")
    await stage.equip("goose", "Carla", "Nightly report", name="goose", version="1.14.0", address=ELSEWHERE)
    await stage.connect("codex", "Dmitri", "codex", "Dmitri’s terminal", name="codex-mcp-client", version="0.63.0")
    await stage.connect(
        "gemini", "Elif", "gemini-cli", "Elif’s terminal", name="gemini-cli-mcp-client", version="0.17.1", is_old=True
    )
    await stage.connect(
        "vscode", "Finn", "vscode", "Finn’s laptop", access="readonly", name="Visual Studio Code", version="1.106.2"
    )
