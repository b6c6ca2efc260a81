"""Takes commands and files out of the manual in docs/, to run them as they are written."""

import re
import textwrap
from collections.abc import Mapping

from tests.paths import ROOT

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def document(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return what docs/operating.md has under the heading `title`, up to the next one."""
    text = document("operating.md")
    rest = next(re.finditer(rf"^#+ {re.escape(title)}\n((?:.|\n)*)", text, re.MULTILINE))[1]
    return re.split(r"^#+ ", str(rest), maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code in `language`, in their order."""
    return [textwrap.dedent(code) for found, code in _FENCE.findall(text) if found == language]


def with_values(script: str, values: Mapping[str, str]) -> str:
    """Put `values` in the place of the examples in `script`; fail the test where an example is not there."""
    for example, value in values.items():
        assert example in script, f"{example!r} is not in:\n{script}"
        script = script.replace(example, value)
    return script
