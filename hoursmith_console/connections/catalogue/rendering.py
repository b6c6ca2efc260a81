"""Writes structured data the way configuration files and command lines spell it.

TOML and YAML are written here for flat entries alone, which is all the catalogue has; the tests read every
output back with real parsers.

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

# What JavaScript's encodeURIComponent leaves as it is, beside letters, digits and "-._~".
_UNRESERVED = "!*'()"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# Plain YAML scalars that no version of the language takes for anything but text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*", re.ASCII)
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLAIN_ARGUMENT = re.compile(r"[A-Za-z0-9_./:=+-]+", re.ASCII)


def as_json(value: Any) -> str:
    """`value` as JSON, indented by two spaces."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_toml(value: Mapping[str, Any]) -> str:
    """`value` as TOML: each mapping of mappings becomes tables, the innermost values lines."""
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
        # JSON leaves DEL as it is, TOML does not allow it.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(_toml(item) for item in value)}]"
    raise TypeError(f"TOML of {type(value).__name__} is not written here")


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml(key)


def as_yaml(value: Mapping[str, Any]) -> str:
    """`value` as YAML in block style, indented by two spaces."""
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
        return f'"{"".join(_yaml_letter(letter) for letter in value)}"'
    return json.dumps(value)


def _yaml_letter(letter: str) -> str:
    # JSON leaves DEL as it is, and writes what lies beyond 16 bits as two halves; YAML wants neither.
    return f"\\U{ord(letter):08x}" if ord(letter) > 0xFFFF or letter == "\x7f" else json.dumps(letter)[1:-1]


def posix_command(arguments: Sequence[str]) -> str:
    """One command line for a POSIX shell that passes on exactly `arguments`."""
    return shlex.join(arguments)


def powershell_command(arguments: Sequence[str]) -> str:
    """One command line for PowerShell that passes on exactly `arguments`, which hold no double quotes."""
    if any('"' in argument for argument in arguments):
        # Windows PowerShell 5.1 drops them on the way to a program, however they are quoted.
        raise ValueError("An argument with a double quote does not reach a program from every PowerShell.")
    return " ".join(
        argument if _PLAIN_ARGUMENT.fullmatch(argument) else "'" + argument.replace("'", "''") + "'"
        for argument in arguments
    )


def base64_in_query(value: Any) -> str:
    """`value` as compact JSON, in base64, ready to stand in a query string."""
    return quote(base64.b64encode(_compact(value).encode()), safe="")


def json_in_query(value: Any) -> str:
    """`value` as compact JSON, as encodeURIComponent writes it."""
    return quote(_compact(value), safe=_UNRESERVED)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
