"""The browser's merge, on generated and on realistic files, judged by the parsers that editors use.

`merge/walk.mjs` runs the page's own modules under Node.js beside `jsonc-parser` and `smol-toml`; Python's `json` and
`tomllib` read every result once more.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.catalogue.merging import merge_contract
from tests.interop.node import HERE, Node

URL = "https://console.example/mcp/c/9d2f61"
GENERATED = 1_000
SEED = 20_261_130
WALK = HERE / "merge/walk.mjs"
FILES = {name: sorted((HERE / "merge/files").glob(f"*.{name}")) for name in ("json", "toml")}
READERS = {"json": json.loads, "toml": tomllib.loads}
REFUSED = {
    "cursor.twice.json": "appears in the file more than once",
    "mcp-remote.half-saved.json": "Invalid JSON: missing comma or bracket in line 6",
    "cursor.json5.json": "Invalid JSON: missing name in double quotes in line 2",
    "codex.inline-ours.toml": "“mcp_servers.hoursmith” is in a format that this page can’t merge",
    "codex.dotted-ours.toml": "“mcp_servers.hoursmith” is in a format that this page can’t merge",
    "codex.all-inline.toml": "“mcp_servers” is in a format that this page can’t merge",
    "codex.array-of-servers.toml": "“mcp_servers” is in a format that this page can’t merge",
    "codex.own-authorization.toml": "sets its own Authorization header",
    "codex.half-saved.toml": "Invalid TOML",
}


def contract(key: str) -> dict[str, Any]:
    made = merge_contract(MCP_CLIENTS[key], url=URL, prefix="4f8a2c1bdedf")
    assert made is not None
    return made


def walked(node: Node, home: Path, language: str, *, files: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    clients = [client for client in MCP_CLIENTS.values() if client.language == language and client.config_files]
    told = {"contracts": [contract(client.key) for client in clients], "count": count, "seed": SEED, "files": files}
    done = node.run(WALK, home=home, input_text=json.dumps(told))
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    assert [f"{result['name']}: {result['fault']}" for result in results if result.get("fault")] == []
    return results


@pytest.mark.parametrize("language", FILES)
def test_a_thousand_generated_files_keep_all_they_had_or_are_refused(node: Node, home: Path, language: str) -> None:
    results = walked(node, home, language, files=[], count=GENERATED)

    assert len(results) == GENERATED
    # Most are merged: a page that refused everything would break nothing either.
    assert sum("after" in result for result in results) > GENERATED * 0.75
    assert {result.get("state") for result in results} >= {"added", "replaced"}
    assert sum(read_again(language, result) for result in results) > GENERATED * 0.2


@pytest.mark.parametrize("language", FILES)
def test_thirty_realistic_files_keep_all_they_had_or_are_refused(node: Node, home: Path, language: str) -> None:
    files = [
        {"name": path.name, "contract": contract(path.name.split(".")[0]), "text": path.read_bytes().decode()}
        for path in FILES[language]
    ]
    results = walked(node, home, language, files=files, count=0)

    assert len(results) == 30
    refusals = {result["name"]: result["refusal"] for result in results if "refusal" in result}
    expected = {name: reason for name, reason in REFUSED.items() if name.endswith(language)}
    assert refusals.keys() == expected.keys(), refusals
    assert [name for name, reason in expected.items() if reason not in refusals[name]] == []
    assert sum(read_again(language, result) for result in results) > 15


def merged(node: Node, home: Path, key: str, text: str) -> str:
    """The file after merging; the reason where it is refused."""
    (result,) = walked(
        node, home, MCP_CLIENTS[key].language, files=[{"name": "one", "contract": contract(key), "text": text}], count=0
    )
    return str(result.get("after") or result["refusal"])


ENTRY = '"url": "https://console.example/mcp/c/9d2f61",'
INPUT = "hoursmith-token-4f8a2c1bdedf"
OLD_INPUT = "hoursmith-token-aaaaaaaaaaaa"


def test_each_line_end_stays_as_it_is_in_a_file_with_both_kinds(node: Node, home: Path) -> None:
    before = '{\r\n  "a": 1,\n  "mcpServers": {\r\n    "x": {}\n  },\r\n  "z": 2\n}\r\n'
    after = merged(node, home, "cursor", before)

    assert after.startswith('{\r\n  "a": 1,\n  "mcpServers": {\r\n    "x": {},\r\n    "hoursmith": {\r\n')
    assert after.endswith('    }\n  },\r\n  "z": 2\n}\r\n')


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n", " \n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_beginning_and_the_end_of_a_file_stay(node: Node, home: Path, mark: str, end: str) -> None:
    assert merged(node, home, "cursor", f'{mark}{{"a": 1}}{end}').removesuffix(end).startswith(f'{mark}{{"a": 1, "')
    after = merged(node, home, "codex", f"{mark}a = 1{end}")
    assert after.startswith(f"{mark}a = 1{end}")
    assert after.endswith("\n") is bool(end)


def test_our_entry_keeps_its_comments_and_the_numbers_as_they_were_written(node: Node, home: Path) -> None:
    before = (
        '{"mcpServers": {\n  "hoursmith": { // at work\n    "url": "https://old.example", // moved\n'
        '    /* quick */ "timeout": 1e5, "id": 12345678901234567890, "zero": -0,\n    // headers\n'
        '    "headers": {"authorization": "Bearer x", /* narrow */ "X-MCP-Readonly": "true"}\n  } // end\n}}'
    )
    after = merged(node, home, "cursor", before)

    assert after == before.replace('"url": "https://old.example",', ENTRY).replace(
        '"authorization": "Bearer x"', '"Authorization": "Bearer ${env:HOURSMITH_API_TOKEN}"'
    )


def test_what_goes_leaves_its_comments_behind(node: Node, home: Path) -> None:
    before = (
        '{\n  "mcpServers": {\n    "hoursmith": {\n      "command": "npx", // how\n      "args": [], // with\n'
        '      "env": {}, // where\n      "cwd": "/" // last\n    }\n  }\n}\n'
    )
    after = merged(node, home, "cursor", before)

    assert [comment for comment in ("// how", "// with", "// where", "// last") if comment not in after] == []
    assert '"cwd"' not in after


def test_an_old_token_does_not_stay_in_a_variable_that_is_no_longer_used(node: Node, home: Path) -> None:
    old = {"command": "npx", "env": {"HTTPS_PROXY": "http://proxy", "HOURSMITH_API_TOKEN": "old"}}
    after = json.loads(merged(node, home, "mcp-remote", json.dumps({"mcpServers": {"hoursmith": old}})))

    environment = after["mcpServers"]["hoursmith"]["env"]
    assert environment == {"HTTPS_PROXY": "http://proxy", "AUTH_HEADER": "Bearer <paste the token here>"}


def test_an_input_that_another_server_uses_stays(node: Node, home: Path) -> None:
    for reference in (f"${{input:{OLD_INPUT}}}", f"\\u0024{{input:\\u0068{OLD_INPUT[1:]}}}"):
        before = (
            f'{{"inputs": [{{"id": "{OLD_INPUT}", "type": "promptString"}}], '
            f'"servers": {{"other": {{"env": {{"T": "{reference}"}}}}}}}}'
        )
        inputs = json.loads(merged(node, home, "vscode", before))["inputs"]
        assert [each["id"] for each in inputs] == [OLD_INPUT, INPUT]

    alone = before.replace(reference, "x")
    assert [each["id"] for each in json.loads(merged(node, home, "vscode", alone))["inputs"]] == [INPUT]


def test_an_input_of_somebody_elses_naming_stays(node: Node, home: Path) -> None:
    before = '{"inputs": [{"id": "hoursmith-token-for-reports", "type": "promptString"}]}'

    inputs = json.loads(merged(node, home, "vscode", before))["inputs"]
    assert [each["id"] for each in inputs] == ["hoursmith-token-for-reports", INPUT]


@pytest.mark.parametrize(
    "header",
    ['["mcp_servers"."hoursmith"]', "[mcp_servers.'hoursmith']", '[ mcp_servers . "hours\\u006dith" ]  # ours'],
)
def test_a_table_is_found_however_its_name_is_written(node: Node, home: Path, header: str) -> None:
    before = f"{header}\n\"url\" = 'https://old.example' # moved\ntool_timeout_sec = 3.0\n[z]\n"
    after = merged(node, home, "codex", before)

    ours = f'bearer_token_env_var = "HOURSMITH_API_TOKEN"\n"url" = "{URL}" # moved\n'
    assert after == f"{header}\n{ours}tool_timeout_sec = 3.0\n[z]\n"


@pytest.mark.parametrize(
    "text",
    [
        "[[mcp_servers]]\n",
        "[[mcp_servers.hoursmith]]\n",
        "mcp_servers = {}\n",
        "mcp_servers.hoursmith = {}\n",
        "mcp_servers.other.command = 'x'\n",
        "[mcp_servers]\nhoursmith.url = 'x'\n",
        '[mcp_servers]\n"hours\\u006dith" = {}\n',
        "[mcp_servers.hoursmith]\nurl.x = 1\n",
    ],
)
def test_a_form_that_the_page_does_not_change_is_refused(node: Node, home: Path, text: str) -> None:
    assert "in a format that this page can’t merge" in merged(node, home, "codex", text)


def test_tables_of_an_array_are_not_taken_for_ours(node: Node, home: Path) -> None:
    before = "[[hooks]]\n[hooks.mcp_servers.hoursmith]\nurl = 'x'\n[[hooks]]\n"

    assert merged(node, home, "codex", before).startswith(f"{before}\n[mcp_servers.hoursmith]\n")


@pytest.mark.parametrize("text", ['{"a": 1} // x\r{"b": 2}\n', '{"a": 1} // x\u2028"b"\n'])
def test_a_comment_that_readers_end_at_different_places_is_refused(node: Node, home: Path, text: str) -> None:
    assert "a line break that programs read differently" in merged(node, home, "cursor", text)


def test_deep_nesting_is_refused_and_does_not_break_the_reader(node: Node, home: Path) -> None:
    deep = "[" * 1_000 + "]" * 1_000

    assert "nested more than 200 deep" in merged(node, home, "cursor", f'{{"a": {deep}}}')
    assert "nested more than 200 deep" in merged(node, home, "codex", f"a = {deep}\n")


def test_five_megabytes_of_one_thing_are_merged(node: Node, home: Path) -> None:
    told = {"json": contract("cursor"), "toml": contract("codex")}
    done = node.run(HERE / "merge/large.mjs", home=home, input_text=json.dumps(told))
    assert done.returncode == 0, done.stderr

    outcomes = json.loads(done.stdout)
    assert len(outcomes) == 6
    for outcome in outcomes:
        assert outcome["state"] == "added", outcome
        assert outcome["size"] >= 4_999_999, outcome
        assert 80 < outcome["added"] < 400, outcome
        # What the page shows stays short, however long the file and its lines are.
        assert outcome["rows"] < 30, outcome
        assert outcome["longest"] < 500, outcome


def test_yaml_is_not_changed_in_the_browser() -> None:
    with_a_file = {key: client for key, client in MCP_CLIENTS.items() if client.config is not None}
    yaml = {key for key, client in with_a_file.items() if client.language == "yaml"}

    assert yaml
    assert {key for key, client in with_a_file.items() if merge_contract(client, url=URL) is None} == yaml


def read_again(language: str, result: dict[str, Any]) -> bool:
    """Whether Python's own reader takes both files; raises where it takes the first alone, or sees another change."""
    try:
        before = READERS[language](result["before"].removeprefix("\ufeff"))
    except ValueError:
        return False
    if "after" not in result or result["state"] == "fresh":
        return False
    after = READERS[language](result["after"].removeprefix("\ufeff"))
    (section,) = [key for key in after if has_entry(after[key], result["entry"])]
    for root in (before, after):
        root.get(section, {}).pop("hoursmith", None)
        if not root.get(section, True):
            del root[section]
        root.pop("inputs", None)
    # As text, since NaN equals nothing and 1 equals True.
    told = [json.dumps(root, sort_keys=True, default=repr) for root in (before, after)]
    assert told[0] == told[1], result["name"]
    return True


def has_entry(value: Any, entry: dict[str, Any]) -> bool:
    found = value.get("hoursmith") if isinstance(value, dict) else None
    return isinstance(found, dict) and all(
        found.get(key) == each for key, each in entry.items() if not isinstance(each, dict)
    )
