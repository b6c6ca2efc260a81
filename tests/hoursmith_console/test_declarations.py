"""Settings are declared once: what the code reads, what `.env.example` shows and what a wrong value says follow."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from hoursmith_console import settings
from hoursmith_console.declarations.all_settings import DECLARED, GROUPS, OF_ONE_RUN, example_file
from hoursmith_console.declarations.kinds import Kind, Setting
from hoursmith_console.declarations.reading import Environment
from tests.paths import ROOT

# Read by OpenTelemetry itself; ours only looks whether traces are wanted.
TELEMETRY = {name for name in DECLARED if name.startswith("OTEL_")} - {"OTEL_EXPORTER_OTLP_HEADERS"}
NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|HOST|PORT|DEBUG|SANDBOX|OAUTH")
READERS = {"get", "pop", "getenv", "setdefault"}
# What gunicorn's workers are told by their master, and tests by what they prepare.
BETWEEN_PROCESSES = {"PROMETHEUS_MULTIPROC_DIR"}


def test_the_file_of_examples_is_made_of_the_declarations() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example_file(), "run make settings"


def test_each_setting_is_declared_once_and_told() -> None:
    names = [setting.name for group in GROUPS for setting in group.settings]
    assert len(names) == len(set(names))
    assert not [setting.name for setting in DECLARED.values() if not setting.about.endswith(".")]
    assert not [setting.name for setting in DECLARED.values() if setting.is_secret and setting.default]


def test_the_settings_read_what_is_declared_and_nothing_else() -> None:
    # Undeclared ones cannot be read at all.
    assert settings.env.asked | TELEMETRY == set(DECLARED)
    with pytest.raises(KeyError):
        Environment({}).text("UNDECLARED")


def read_directly() -> dict[str, Path]:
    """Names of variables that the product takes from the environment itself, and where."""
    found = {}
    for path in [*(ROOT / "hoursmith_console").rglob("*.py"), *(ROOT / "mcpbridge").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
                place, given = node.func.value, node.args[:1]
            elif isinstance(node, ast.Subscript):
                place, given = node.value, [node.slice]
            else:
                continue
            if ast.unparse(place).endswith("environ"):
                found |= {each.value: path for each in given if isinstance(each, ast.Constant)}
    return found


def test_what_is_read_past_the_declarations_belongs_to_one_run() -> None:
    found = read_directly()
    assert {"ENV_FILE", "HOURSMITH_API_TOKEN"} <= set(found)
    unknown = {name: path for name, path in found.items() if name not in {*DECLARED, *OF_ONE_RUN, *BETWEEN_PROCESSES}}
    assert not unknown


WRONG = {
    Kind.SWITCH: ("maybe", "yess", "2"),
    Kind.WHOLE: ("x", "1.5", "1e3", "nan", "-1", "99999999999"),
    Kind.NUMBER: ("x", "nan", "inf", "-1", "1,5"),
}


def read(setting: Setting, value: str) -> object:
    env = Environment({setting.name: value})
    return env.switch(setting.name) if setting.kind is Kind.SWITCH else env.number(setting.name)


OF_KIND = [each for each in DECLARED.values() if each.kind in WRONG]


@pytest.mark.parametrize("setting", OF_KIND, ids=lambda each: each.name)
def test_a_value_of_another_kind_is_refused_by_name(setting: Setting) -> None:
    for value in WRONG[setting.kind]:
        # Two have bounds that are checked elsewhere, with OAuth.
        if value == "-1" and setting.least is None:
            continue
        with pytest.raises(ImproperlyConfigured, match=f"^{setting.name} is '{re.escape(value)}'; use "):
            read(setting, value)
    for unset in ("", setting.default):
        assert setting.default == "" or read(setting, unset) == read(setting, setting.default)


def test_one_of_several_words_is_refused_by_name_if_it_is_none_of_them() -> None:
    found = [each for each in DECLARED.values() if each.choices]
    assert {"ACTIVITY_ARGUMENTS", "LOG_FORMAT", "LOG_LEVEL", "OAUTH_CLIENTS", "OAUTH_SIGN_IN"} <= {
        each.name for each in found
    }
    for setting in found:
        assert setting.default in ("", *setting.choices)
        assert Environment({setting.name: setting.choices[0].swapcase()}).text(setting.name) == setting.choices[0]
        with pytest.raises(ImproperlyConfigured, match=f"^{setting.name} is 'nmaes'; use {setting.choices[0]} or "):
            Environment({setting.name: "nmaes"}).text(setting.name)


def test_a_list_may_be_empty_and_has_no_spaces() -> None:
    assert Environment({}).several("METRICS_NETWORKS") == ["127.0.0.0/8", "::1"]
    assert Environment({"METRICS_NETWORKS": ""}).several("METRICS_NETWORKS") == []
    assert Environment({"ALLOWED_HOSTS": " a.example , b.example,"}).several("ALLOWED_HOSTS") == [
        "a.example",
        "b.example",
    ]


def test_tables_of_settings_in_the_documents_name_only_settings() -> None:
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| Setting \|.*\n\|[-| ]+\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    named = {
        name for table in tables for row in table.splitlines() for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])
    }
    assert len(tables) >= 3
    assert named
    assert named <= {*DECLARED, *(f"{name}_FILE" for name in DECLARED if DECLARED[name].is_secret)}


def test_a_wrong_value_is_one_sentence_at_the_start(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    given = {
        **clean,
        "VAR_DIR": str(tmp_path),
        "SECRET_KEY": "x" * 50,
        "AUDIT_SIGNING_KEY": "y",
        "AUDIT_SNAPSHOTS": "yess",
    }
    refused = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr == "Not started: AUDIT_SNAPSHOTS is 'yess'; use on or off.\n"
