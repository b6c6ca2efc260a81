"""Merging our entry into somebody's file: in the browser alone, and without touching anything else."""

import json
import random
import re
import tomllib
from typing import Any

import pytest
import yaml

from hoursmith_console.connections.catalogue.rendering import as_toml, as_yaml
from tests.browser.catalogue.bench import Bench

pytestmark = pytest.mark.slow

URL = "https://console.example/mcp/c/9d2f61"
CURSOR = {"url": URL, "headers": {"Authorization": "Bearer ${env:HOURSMITH_API_TOKEN}"}}
INPUT = "hoursmith-token-4f8a2c1bdedf"
CODEX = f'[mcp_servers.hoursmith]\nurl = "{URL}"\nbearer_token_env_var = "HOURSMITH_API_TOKEN"\n'
GOOSE = {
    "enabled": True,
    "type": "streamable_http",
    "name": "hoursmith",
    "uri": URL,
    "env_keys": ["HOURSMITH_API_TOKEN"],
    "headers": {"Authorization": "Bearer ${HOURSMITH_API_TOKEN}"},
    "timeout": 300,
}


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
    assert bench.page.get_by_text("put the token").is_visible()


def test_merging_twice_changes_nothing_more(bench: Bench) -> None:
    for key, name, text in (
        ("cursor", "mcp.json", '{"mcpServers":{"other":{"url":"https://x.example"}}}'),
        ("vscode", "mcp.json", "{ // empty\n}"),
        ("codex", "config.toml", 'model = "x"'),
        ("goose", "config.yaml", "GOOSE_MODEL: x\nextensions:\n  developer:\n    enabled: true\n"),
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
    assert "this changes" in bench.said()
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
        ("cursor", '{\n  "mcpServers": {\n    "a": 1\n    "b": 2\n}}', "a comma or a bracket is missing in line 4"),
        ("cursor", "mcpServers: {}", "a value is missing or misspelt in line 1"),
        ("cursor", '{"a": 1} x', "something stands after the end in line 1"),
        ("cursor", "[1]", "must begin with a brace"),
        ("cursor", '{"mcpServers": []}', "“mcpServers” is in the file, but is not an object"),
        ("cursor", b"\xff\xfe{\x00}\x00", "is not text in UTF-8"),
        ("codex", 'model = "x\n', "the end of a text is missing in line 1"),
        ("codex", "{}", "a key is missing or misspelt in line 1"),
        ("codex", 'a = 1\n[mcp_servers]\nhoursmith = { url = "x" }\n', "“mcp_servers.hoursmith” is written in a way"),
        ("codex", "mcp_servers = {}\n", "“mcp_servers” is written in a way"),
        ("goose", "extensions:\n\t- x\n", "a tab stands before the text in line 2"),
        ("goose", '{"extensions": {}}\n', "neither “key: value” nor indented in line 1"),
        ("goose", "extensions: {a: {b: 1}}\n", "“extensions” is written in a way"),
        ("goose", "extensions:\n- a\n", "“extensions” is written in a way"),
    ],
)
def test_what_cannot_be_merged_is_named(bench: Bench, key: str, content: str | bytes, reason: str) -> None:
    bench.open(key)
    bench.give(content)

    assert reason in bench.said()
    assert not bench.has_result()


def test_a_mended_file_can_be_given_again(bench: Bench) -> None:
    bench.open("cursor")
    bench.give("{")
    assert "is not JSON" in bench.said()

    assert json.loads(bench.merged("{}")) == {"mcpServers": {"hoursmith": CURSOR}}


def test_a_file_can_be_dropped(bench: Bench) -> None:
    bench.open("cursor")
    bench.page.evaluate(
        """() => {
            const dragged = new DataTransfer();
            dragged.items.add(new File(["{}"], "dropped.json"));
            const event = new DragEvent("drop", { dataTransfer: dragged, bubbles: true, cancelable: true });
            document.querySelector(".drop").dispatchEvent(event);
        }"""
    )
    bench.page.locator("a[download]").wait_for()
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


def test_yaml_goes_below_extensions(bench: Bench) -> None:
    before = (
        "# mine\nGOOSE_MODEL: gpt # why\nextensions:\n    developer:\n        enabled: true # keep\n        note: |\n"
        "            hoursmith:\n\n            x\n\n# after\nOTHER: 1\n"
    )
    bench.open("goose")
    made = bench.merged(before, "config.yaml")

    assert yaml.safe_load(made) == {
        "GOOSE_MODEL": "gpt",
        "extensions": {"developer": {"enabled": True, "note": "hoursmith:\n\nx\n"}, "hoursmith": GOOSE},
        "OTHER": 1,
    }
    assert [line for line in before.splitlines() if line not in made.splitlines()] == []
    assert {mark for mark, _ in bench.difference()} == {"+"}


@pytest.mark.parametrize("before", ["A: 1\n", "A: 1\nextensions: {}\n", "extensions:\nA: 1\n", "extensions:\n"])
def test_yaml_without_extensions_gets_them(bench: Bench, before: str) -> None:
    bench.open("goose")
    made = yaml.safe_load(bench.merged(before, "config.yaml"))

    assert made["extensions"] == {"hoursmith": GOOSE}
    assert made.get("A") == (1 if "A" in before else None)


def test_a_yaml_entry_is_replaced_and_keeps_its_other_settings(bench: Bench) -> None:
    before = (
        "extensions:\n  hoursmith:\n    cmd: npx\n    args:\n      - -y\n"
        "    available_tools:\n    - get_me\n    enabled: false\n"
        "  zebra:\n    enabled: true\n"
    )
    bench.open("goose")
    made = yaml.safe_load(bench.merged(before, "config.yaml"))

    assert made["extensions"] == {"hoursmith": {**GOOSE, "available_tools": ["get_me"]}, "zebra": {"enabled": True}}


def test_files_nobody_thought_of_keep_all_they_had(bench: Bench) -> None:
    chance = random.Random(20261125)
    values = [{"mcpServers": {"a": tree(chance, 2)}, **tree(chance, 3)} for _ in range(120)] + [
        tree(chance, 3) for _ in range(80)
    ]
    texts = [sprinkled(chance, json.dumps(value, indent=chance.choice([None, 1, 2, 4, "\t"]))) for value in values]

    for value, text, made in zip(values, texts, bench.batch("cursor", texts), strict=True):
        servers = {**value.get("mcpServers", {}), "hoursmith": CURSOR}
        assert json.loads(plain(made)) == {**value, "mcpServers": servers}, text
    bench.requests.clear()


def test_tables_nobody_thought_of_keep_all_they_had(bench: Bench) -> None:
    chance = random.Random(20261126)
    values = [{"first": 1, "mcp_servers": {"a": flat(chance)}, "last": flat(chance)} for _ in range(60)]
    ours = tomllib.loads(CODEX)["mcp_servers"]
    for value, made in zip(values, bench.batch("codex", [as_toml(value) for value in values]), strict=True):
        assert tomllib.loads(made) == {**value, "mcp_servers": {**value["mcp_servers"], **ours}}

    values = [{"first": 1, "extensions": {"a": flat(chance)}, "last": flat(chance)} for _ in range(60)]
    for value, made in zip(values, bench.batch("goose", [as_yaml(value) for value in values]), strict=True):
        assert yaml.safe_load(made) == {**value, "extensions": {**value["extensions"], "hoursmith": GOOSE}}
    bench.requests.clear()


WORDS = [
    "a",
    "b c",
    "Ü",
    'q"',
    "x\\y",
    "{",
    "}",
    "[]",
    "//",
    "/*",
    "#",
    "=",
    ",",
    "hoursmith",
    "'",
    "https://x.example/",
]


def word(chance: random.Random) -> str:
    return "".join(chance.choices(WORDS, k=chance.randint(0, 3)))


def flat(chance: random.Random) -> dict[str, Any]:
    return {
        f"k{place}": chance.choice([word(chance), chance.random() < 0.5, 12, [word(chance)]]) for place in range(1, 4)
    }


def tree(chance: random.Random, depth: int) -> dict[str, Any]:
    def value() -> Any:
        if depth and chance.random() < 0.5:
            return chance.choice([tree(chance, depth - 1), [tree(chance, 0)], [], {}])
        return chance.choice([word(chance), 1.5, -2, None, True])

    return {f"{word(chance)}{place}": value() for place in range(chance.randint(0, 3))}


_PART = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[,{}\[\]]', re.DOTALL)


def sprinkled(chance: random.Random, text: str) -> str:
    """`text` with comments at the brackets and, sometimes, trailing commas."""

    def one(found: re.Match[str]) -> str:
        part = found[0]
        if part in "}]" and chance.random() < 0.5 and text[: found.start()].rstrip()[-1] not in "{[":
            part = f",{part}"
        comment = chance.choice(["", "", "/* , } */", '// "x": {\n', "/* \n */ "])
        return comment + part if part[0] in ",{}[]" else part

    return _PART.sub(one, text)


def plain(text: str) -> str:
    """`text` without comments and trailing commas."""
    bare = _PART.sub(lambda found: "" if found[0].startswith(("//", "/*")) else found[0], text)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda found: found[1] or "", bare)
