"""Render a document as safe HTML, with anchors, rewritten links, and its text in sections for the search.

No markup of a document itself gets through: `html` is off, and attributes are set here alone. Styles in attributes are
replaced by classes, which the Content-Security-Policy demands.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Returns the address of a link or image in a document; None where the help has none.
Resolve = Callable[[str], str | None]
_EXTERNAL = ("https://", "http://", "mailto:")


@dataclass(slots=True)
class Section:
    """A heading and the text below it. `anchor` is empty for what comes before the first heading."""

    level: int
    anchor: str
    heading: str
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The paragraphs as one line."""
        return " ".join(self.texts)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document: its title, its HTML without the title, and its sections, the first of which is its beginning."""

    title: str
    html: str
    sections: Sequence[Section]


def render_markdown(text: str, resolve: Resolve) -> Rendered:
    """Render `text`; `resolve` gives the addresses of its links and images."""
    tokens = _PARSER.parse(text)
    tokens, title = _without_title(tokens)
    sections = _add_anchors(tokens)
    for token in tokens:
        if token.type == "inline":
            _rewrite(token.children or [], resolve)
        elif token.type in ("th_open", "td_open") and token.attrs.pop("style", "") == "text-align:right":
            token.attrs["class"] = "number"
    return Rendered(title, _PARSER.renderer.render(tokens, _PARSER.options, {}), sections)


def slug_of(heading: str) -> str:
    """Return the anchor of a heading, as the platforms that show Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _without_title(tokens: list[Token]) -> tuple[list[Token], str]:
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            return tokens[:index] + tokens[index + 3 :], _text_of(tokens[index + 1])
    return tokens, ""


def _add_anchors(tokens: list[Token]) -> list[Section]:
    """Give each heading an id, and each table a name; return the sections."""
    sections = [Section(1, "", "")]
    used: dict[str, int] = {}
    for index, token in enumerate(tokens):
        here = sections[-1]
        if token.type == "heading_open":
            heading = _text_of(tokens[index + 1])
            slug = slug_of(heading)
            used[slug] = count = used.get(slug, -1) + 1
            token.attrs["id"] = anchor = f"{slug}-{count}" if count else slug
            sections.append(Section(int(token.tag[1]), anchor, heading))
        elif token.type == "inline" and tokens[index - 1].type != "heading_open":
            is_cell = tokens[index - 1].type in ("th_open", "td_open")
            here.texts.append(f"{_text_of(token)} ·" if is_cell else _text_of(token))
        elif token.type == "fence":
            here.texts.append(" ".join(token.content.split()))
        elif token.type == "table_open":
            token.meta["name"] = f"Table in “{here.heading or 'Introduction'}”, line {(token.map or [0])[0] + 1}"
    return sections


def _text_of(token: Token) -> str:
    """Return what is read of an inline token."""
    parts = [
        " " if child.type in ("softbreak", "hardbreak") else child.content
        for child in token.children or []
        if child.type != "image"
    ]
    return "".join(parts)


def _rewrite(children: list[Token], resolve: Resolve) -> None:
    hidden: list[bool] = []
    for token in children:
        if token.type == "link_open":
            hidden.append(not _set_address(token, "href", resolve))
            token.hidden = hidden[-1]
        elif token.type == "link_close":
            token.hidden = hidden.pop()
        elif token.type == "image":
            token.hidden = not _set_address(token, "src", resolve)
            token.attrs["loading"] = "lazy"


def _set_address(token: Token, attribute: str, resolve: Resolve) -> bool:
    """Replace the address of a link or image; return whether there is one."""
    address = str(token.attrs.get(attribute, ""))
    if address.startswith("#"):
        return True
    if address.startswith(_EXTERNAL):
        token.attrs["rel"] = "noreferrer"
        return attribute == "href"
    resolved = resolve(address)
    if resolved is not None:
        token.attrs[attribute] = resolved
    return resolved is not None


def _fence(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    code = f'<pre class="block" tabindex="0"><code>{escape(token.content)}</code></pre>\n'
    if token.info.strip() == "mermaid":
        return (
            "<p>A diagram belongs here, which this page does not draw.</p>\n"
            f'<details class="raw"><summary>Show the diagram as text</summary>{code}</details>\n'
        )
    return code


def _table_open(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    name = escape(tokens[index].meta["name"])
    return f'<div class="help-table" tabindex="0" role="region" aria-label="{name}"><table>\n'


def _table_close(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def _parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("fence", _fence)
    made.add_render_rule("table_open", _table_open)
    made.add_render_rule("table_close", _table_close)
    return made


_PARSER = _parser()
