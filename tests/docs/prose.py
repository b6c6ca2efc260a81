"""Find the prose in a file: what people read, without code, addresses and identifiers."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

# A line of prose and its number.
Line = tuple[int, str]

_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_TARGET = re.compile(r"\]\([^)]*\)|<https?:[^>]*>")
_DJANGO = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>", re.DOTALL)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def _blank(found: re.Match[str]) -> str:
    """Replace by as many line breaks, so that the numbers of lines stay."""
    return " " + "\n" * found[0].count("\n")


def _phrases(found: re.Match[str]) -> str:
    """Keep of a tag only quoted texts of several words: titles, labels and arguments."""
    kept = " ".join(text[1:-1] for text in _QUOTED.findall(found[0]) if " " in text.strip("\"' "))
    return f" {' '.join(kept.split())} " + "\n" * found[0].count("\n")


def prose_of_markdown(text: str) -> Iterator[Line]:
    """Yield the lines of a document without fenced code, inline code and link targets."""
    for pattern in (_FENCE, _CODE, _TARGET):
        text = pattern.sub(_blank, text)
    yield from enumerate(text.splitlines(), 1)


def prose_of_template(text: str) -> Iterator[Line]:
    """Yield the lines of a template: its text, and quoted texts of several words in its tags."""
    for pattern in (_DJANGO, _TAG):
        text = pattern.sub(_phrases, text)
    yield from enumerate(text.splitlines(), 1)


def prose_of_python(text: str) -> Iterator[Line]:
    """Yield comments, docstrings and strings of several words."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield from enumerate(_CODE.sub(" ", node.value).splitlines(), node.lineno)


def prose_of(path: Path) -> Iterator[Line]:
    """Yield the prose of a file by its kind."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return prose_of_python(text)
    if path.suffix == ".html":
        return prose_of_template(text)
    if path.suffix in (".md", ".example"):
        return prose_of_markdown(text)
    return iter(enumerate(text.splitlines(), 1))
