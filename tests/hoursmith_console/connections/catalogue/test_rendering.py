"""Whatever is written can be read back: TOML, YAML, shells, links."""

import base64
import json
import shlex
import tomllib
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hoursmith_console.connections.catalogue import rendering

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
LEAVES = st.one_of(TEXT, st.booleans(), st.integers(-(2**40), 2**40), st.lists(TEXT, max_size=3))
# YAML keys of one line; longer ones would need another form.
TREES = st.dictionaries(
    KEYS, st.one_of(LEAVES, st.dictionaries(KEYS, LEAVES, min_size=1, max_size=3)), min_size=1, max_size=4
)


@given(TREES)
def test_toml_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    assert tomllib.loads(rendering.as_toml(value)) == value


@given(TREES)
def test_yaml_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    assert yaml.safe_load(rendering.as_yaml(value)) == value


@pytest.mark.parametrize(
    "text", ["yes", "No", "on", "null", "true", "1e3", "0x1", "12:30", "~", "- a", "a: b", "#", "\x7f", "\u2028"]
)
def test_yaml_keeps_text_text(text: str) -> None:
    assert yaml.safe_load(rendering.as_yaml({"key": text, text: "value"})) == {"key": text, text: "value"}


def test_toml_of_what_is_not_an_entry_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        rendering.as_toml({"timeout": 1.5})


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_posix_shell_passes_on_what_was_meant(arguments: list[str]) -> None:
    assert shlex.split(rendering.posix_command(arguments)) == arguments


def test_powershell_expands_nothing() -> None:
    line = rendering.powershell_command(["claude", "--header", "Bearer ${TOKEN}", "it's", "$x", "a;b", ""])

    assert line == "claude --header 'Bearer ${TOKEN}' 'it''s' '$x' 'a;b' ''"


def test_powershell_is_not_given_what_it_would_lose() -> None:
    with pytest.raises(ValueError, match="double quote"):
        rendering.powershell_command(["code", '{"a": 1}'])


@given(TREES)
def test_links_carry_their_value(value: dict[str, Any]) -> None:
    assert json.loads(unquote(rendering.json_in_query(value))) == value
    packed = rendering.base64_in_query(value)
    assert json.loads(base64.b64decode(unquote(packed), validate=True)) == value
    assert not set(packed) & set("+/=& ")
