"""Serialize structured data as configuration files and command lines.

The TOML and YAML writers support the simple entries of the catalogue only; tests parse all output with real parsers.

Sources: TOML 1.0 (basic strings), YAML 1.2 (double-quoted scalars are JSON strings), POSIX shell quoting,
about_Quoting_Rules of PowerShell.
"""

import base64
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

# Unescaped by JavaScript's encodeURIComponent, besides letters, digits and "-._~".
_UNRESERVED = "!*'()"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# Plain YAML scalars that are text in every version of the language.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*", re.ASCII)
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLAIN_ARGUMENT = re.compile(r"[A-Za-z0-9_./:=+-]+", re.ASCII)


def as_json(value: Any) -> str:
    """Return `value` as JSON, indented by two spaces."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_toml(value: Mapping[str, Any]) -> str:
    """Return `value` as TOML: nested mappings become tables."""
    return "\n".join(_tables((), value)) + "\n"


def _tables(path: tuple[str, ...], value: Mapping[str, Any]) -> list[str]:
    lines = [f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items() if not isinstance(item, Mapping)]
    if lines and path:
        lines.insert(0, f"[{'.'.join(_toml_key(key) for key in path)}]")
    for key, item in value.items():
        if isinstance(item, Mapping):
            below = _tables((*path, key), item)
            lines += ["", *below] if lines else below
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # JSON does not escape DEL; TOML does not allow it.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(_toml(item) for item in value)}]"
    raise TypeError(f"TOML of {type(value).__name__} is not supported")


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml(key)


def as_yaml(value: Mapping[str, Any]) -> str:
    """Return `value` as YAML in block style, indented by two spaces."""
    return "\n".join(_yaml(value, "")) + "\n"


def _yaml(value: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, item in value.items():
        name = f"{indent}{_scalar(key)}:"
        if isinstance(item, Mapping) and item:
            lines += [name, *_yaml(item, f"{indent}  ")]
        elif isinstance(item, list | tuple) and item and all(isinstance(entry, Mapping) for entry in item):
            lines.append(name)
            for entry in item:
                first, *rest = _yaml(entry, f"{indent}    ")
                lines += [f"{indent}  - {first.lstrip()}", *rest]
        elif isinstance(item, list | tuple) and item:
            lines += [name, *(f"{indent}  - {_scalar(entry)}" for entry in item)]
        else:
            lines.append(f"{name} {_scalar(item)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    if isinstance(value, str):
        return f'"{"".join(_yaml_character(letter) for letter in value)}"'
    return json.dumps(value)


def _yaml_character(letter: str) -> str:
    # JSON does not escape DEL, and writes characters beyond 16 bits as surrogates; YAML supports neither.
    return f"\\U{ord(letter):08x}" if ord(letter) > 0xFFFF or letter == "\x7f" else json.dumps(letter)[1:-1]


def posix_command(arguments: Sequence[str]) -> str:
    """Return a POSIX shell command that passes exactly `arguments`."""
    return shlex.join(arguments)


def powershell_command(arguments: Sequence[str]) -> str:
    """Return a PowerShell command that passes exactly `arguments`, without double quotes."""
    if any('"' in argument for argument in arguments):
        # Windows PowerShell 5.1 drops them, however they are quoted.
        raise ValueError("Arguments with double quotes are not supported by every PowerShell.")
    return " ".join(
        argument if _PLAIN_ARGUMENT.fullmatch(argument) else "'" + argument.replace("'", "''") + "'"
        for argument in arguments
    )


def base64_in_query(value: Any) -> str:
    """Return `value` as compact JSON in base64, for a query string."""
    return quote(base64.b64encode(_compact(value).encode()), safe="")


def json_in_query(value: Any) -> str:
    """Return `value` as compact JSON, escaped like encodeURIComponent."""
    return quote(_compact(value), safe=_UNRESERVED)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
