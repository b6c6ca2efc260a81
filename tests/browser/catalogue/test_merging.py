"""Merging our entry into somebody's file: in the browser alone, and without touching anything else."""

import json
import re
import tomllib

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.catalogue.bench import Bench

URL = "https://console.example/mcp/c/9d2f61"
CURSOR = {"url": URL, "headers": {"Authorization": "Bearer ${env:HOURSMITH_API_TOKEN}"}}
INPUT = "hoursmith-token-4f8a2c1bdedf"
CODEX = f'[mcp_servers.hoursmith]\nurl = "{URL}"\nbearer_token_env_var = "HOURSMITH_API_TOKEN"\n'


def test_an_empty_file_becomes_the_configuration(bench: Bench) -> None:
    bench.open("cursor")

    assert json.loads(bench.merged("  \n")) == {"mcpServers": {"hoursmith": CURSOR}}
    assert "was empty" in bench.said()


def test_other_servers_stay_as_they_are(bench: Bench) -> None:
    before = (
        '{\n    "mcpServers": {\n        "other": {"command": "x", "args": [ 1,2 ]}\n    },\n    "theme": "dark"\n}\n'
    )
    bench.open("cursor")
    made = bench.merged(before)

    assert json.loads(made) == {
        "mcpServers": {"other": {"command": "x", "args": [1, 2]}, "hoursmith": CURSOR},
        "theme": "dark",
    }
    assert made.startswith(
        '{\n    "mcpServers": {\n        "other": {"command": "x", "args": [ 1,2 ]},\n        "hoursmith": {\n'
    )
    assert made.endswith('\n    },\n    "theme": "dark"\n}\n')
    assert {mark for mark, _ in bench.difference()} == {"+", "−"}
    assert ("−", '        "other": {"command": "x", "args": [ 1,2 ]}') in bench.difference()


def test_comments_trailing_commas_and_line_ends_are_kept(bench: Bench) -> None:
    before = (
        '// mine\r\n{\r\n\t/* theme */ "theme": "One // not a comment",\r\n'
        '\t"context_servers": {\r\n\t\t"other": { "url": "https://x.example" }, // keep\r\n\t},\r\n}\r\n'
    )
    bench.open("zed")
    made = bench.merged(before, "settings.json")

    lines = made.split("\r\n")
    assert "\n" not in made.replace("\r\n", "")
    assert [line for line in before.split("\r\n") if line not in lines] == []
    assert lines[5].startswith('\t\t"hoursmith": {')
    assert json.loads(plain(made))["context_servers"]["hoursmith"] == {
        "url": URL,
        "headers": {"Authorization": "Bearer <paste the token here>"},
    }
    assert "},\r\n\t},\r\n}" in made
    assert bench.page.get_by_text("with the token.").is_visible()


def test_merging_twice_changes_nothing_more(bench: Bench) -> None:
    for key, name, text in (
        ("cursor", "mcp.json", '{"mcpServers":{"other":{"url":"https://x.example"}}}'),
        ("vscode", "mcp.json", "{ // empty\n}"),
        ("codex", "config.toml", 'model = "x"'),
    ):
        bench.open(key)
        once = bench.merged(text, name)
        assert once != text
        assert bench.merged(once, name) == once
        assert not bench.has_result()


def test_an_older_entry_changes_its_way_and_keeps_its_other_settings(bench: Bench) -> None:
    old = {"command": "npx", "args": ["-y", "mcp-remote"], "env": {"A": "b"}, "disabledTools": ["delete_client"]}
    bench.open("cursor")
    made = bench.merged(json.dumps({"mcpServers": {"hoursmith": old, "z": {}}}, indent=2))

    assert json.loads(made) == {"mcpServers": {"hoursmith": {**CURSOR, "disabledTools": ["delete_client"]}, "z": {}}}
    assert "Existing entry updated" in bench.said()
    assert ("−", '      "command": "npx",') in bench.difference()


def test_vs_code_gets_its_question_once_for_the_newest_token(bench: Bench) -> None:
    old = {
        "inputs": [
            {"type": "promptString", "id": "mine"},
            {"type": "promptString", "id": "hoursmith-token-aaaaaaaaaaaa"},
        ],
        "servers": {"other": {"type": "stdio", "command": "x"}},
    }
    bench.open("vscode")
    made = json.loads(bench.merged(json.dumps(old, indent=2)))

    assert [each["id"] for each in made["inputs"]] == ["mine", INPUT]
    assert made["servers"]["other"] == old["servers"]["other"]
    assert made["servers"]["hoursmith"]["headers"] == {"Authorization": f"Bearer ${{input:{INPUT}}}"}


@pytest.mark.parametrize(
    ("key", "content", "reason"),
    [
        ("cursor", '{\n  "mcpServers": {\n    "a": 1\n    "b": 2\n}}', "missing comma or bracket in line 4"),
        ("cursor", "mcpServers: {}", "missing or invalid value in line 1"),
        ("cursor", '{"a": 1} x', "unexpected text after the end in line 1"),
        ("cursor", "[1]", "must start with a brace"),
        ("cursor", '{"mcpServers": []}', "“mcpServers” is in the file, but is not an object"),
        ("cursor", b"\xff\xfe{\x00}\x00", "is not UTF-8 text"),
        ("codex", 'model = "x\n', "unterminated string in line 1"),
        ("codex", "{}", "a key is missing or misspelt in line 1"),
        (
            "codex",
            'a = 1\n[mcp_servers]\nhoursmith = { url = "x" }\n',
            "“mcp_servers.hoursmith” is in a format that this page can’t merge",
        ),
        ("codex", "mcp_servers = {}\n", "“mcp_servers” is in a format that this page can’t merge"),
    ],
)
def test_what_cannot_be_merged_is_named(bench: Bench, key: str, content: str | bytes, reason: str) -> None:
    bench.open(key)
    bench.give(content)

    assert reason in bench.said()
    assert bench.said().endswith("Nothing was changed.")
    assert not bench.has_result()
    assert bench.refused() == bench.snippet()


def test_a_mended_file_can_be_given_again(bench: Bench) -> None:
    bench.open("cursor")
    bench.give("{")
    assert "Invalid JSON" in bench.said()

    assert json.loads(bench.merged("{}")) == {"mcpServers": {"hoursmith": CURSOR}}


def test_a_file_can_be_dropped(bench: Bench) -> None:
    bench.open("cursor")
    bench.drop("'{}'", "dropped.json")
    name, made = bench.got()

    assert (name, json.loads(made)) == ("dropped.json", {"mcpServers": {"hoursmith": CURSOR}})


def test_toml_gets_a_table_and_keeps_the_rest(bench: Bench) -> None:
    before = (
        '# mine\nmodel = "gpt" # why\nnotes = """\n[mcp_servers.hoursmith]\n"""\n\n'
        '[mcp_servers.other]\nargs = [\n  "a", # b\n]\n'
    )
    bench.open("codex")

    assert bench.merged(before, "config.toml") == f"{before}\n{CODEX}"


def test_a_toml_table_is_replaced_in_its_place(bench: Bench) -> None:
    before = (
        "[mcp_servers.hoursmith] # ours\ncommand = 'npx'\nargs = ['-y',\n  'x']\n"
        "disabled_tools = [\n  'delete_client',\n]\n"
        "[mcp_servers.hoursmith.env]\nHOURSMITH_API_TOKEN = 'x'\n\n# theirs\n[profiles.a]\nmodel = 'o'\n"
    )
    bench.open("codex")
    made = bench.merged(before, "config.toml")

    assert tomllib.loads(made) == {
        "mcp_servers": {
            "hoursmith": {
                "url": URL,
                "bearer_token_env_var": "HOURSMITH_API_TOKEN",
                "disabled_tools": ["delete_client"],
            }
        },
        "profiles": {"a": {"model": "o"}},
    }
    assert made.startswith("[mcp_servers.hoursmith] # ours\n")
    assert "\n# theirs\n[profiles.a]\n" in made


def test_a_large_file_is_merged_beside_the_page(bench: Bench) -> None:
    bench.open("claude-code")
    bench.drop(
        """(() => {
            const entry = JSON.stringify({ history: Array(16).fill("x".repeat(990)), id: 1e5 });
            const lines = Array.from({ length: 1000 }, (_, place) => `    "/home/${place}": ${entry}`);
            return `{\\n  "projects": {\\n${lines.join(",\\n")}\\n  },\\n  "z": 12345678901234567890\\n}\\n`;
        })()""",
        "claude.json",
    )
    _, made = bench.got()

    assert len(made) > 15_000_000
    assert made.startswith('{\n  "projects": {\n    "/home/0": {')
    assert '\n  },\n  "z": 12345678901234567890,\n  "mcpServers": {\n    "hoursmith": {\n' in made
    assert len(bench.difference()) < 20


def test_a_file_that_is_too_large_is_named(bench: Bench) -> None:
    bench.open("cursor")
    bench.drop("new Uint8Array(20_000_001)")

    assert "has 21 MB, and this page merges files of up to 20 MB. Nothing was changed." in bench.said()
    assert bench.refused() == bench.snippet()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' * 100_000], ids=["lists", "objects"])
def test_endless_nesting_is_refused(bench: Bench, content: str) -> None:
    bench.open("cursor")
    bench.give(content)

    assert "nested more than 200 deep" in bench.said()


def held_worker(page: Page) -> list[Route]:
    """Hold back the worker's script, so that it works for as long as a test wants."""
    held: list[Route] = []
    page.route("**/merge/worker*.js", lambda route: held.append(route))
    return held


def test_merging_shows_its_progress_and_can_be_cancelled_with_the_keyboard(bench: Bench) -> None:
    bench.open("cursor")
    held = held_worker(bench.page)
    bench.pick("{}")

    bar = bench.page.get_by_role("progressbar", name="Merging the file")
    expect(bar).to_be_visible()
    bench.page.get_by_role("button", name="Cancel merge").focus()
    bench.page.keyboard.press("Enter")

    expect(bench.page.locator(".merge-status")).to_have_text("Cancelled. Nothing was changed.")
    expect(bar).to_be_hidden()
    assert bench.page.evaluate("document.activeElement.type") == "file"
    assert not bench.has_result()
    assert len(held) == 1
    bench.page.unroute("**/merge/worker*.js")
    assert json.loads(bench.merged("{}")) == {"mcpServers": {"hoursmith": CURSOR}}


def test_a_worker_that_cannot_start_is_named(bench: Bench) -> None:
    bench.open("cursor")
    bench.page.route("**/merge/worker*.js", lambda route: route.abort())
    bench.give("{}")

    assert "This browser could not merge the file. Nothing was changed." in bench.said()
    assert bench.refused() == bench.snippet()
    bench.complaints[:] = [each for each in bench.complaints if "ERR_FAILED" not in each]


def test_yaml_is_left_to_the_user(bench: Bench) -> None:
    bench.open("goose")

    assert bench.page.locator("input[type=file]").count() == 0
    assert bench.page.get_by_text("which this page can’t merge").is_visible()


_PART = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[,{}\[\]]', re.DOTALL)


def plain(text: str) -> str:
    """`text` without comments and trailing commas."""
    bare = _PART.sub(lambda found: "" if found[0].startswith(("//", "/*")) else found[0], text)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda found: found[1] or "", bare)
