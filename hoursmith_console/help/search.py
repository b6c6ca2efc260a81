"""Search the help: every word must be in a section; headings count more than text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hoursmith_console.help.library import GROUPS, Library, Page
from hoursmith_console.help.markdown import Section

MOST_RESULTS = 30
_MOST_WORDS = 8
_BEFORE, _AFTER = 60, 180
_WORD = re.compile(r"\w[\w.:/-]*")


@dataclass(frozen=True, slots=True)
class Result:
    """A section that matches. `heading` and `excerpt` are parts of text, each with whether it is a match."""

    page: Page
    address: str
    heading: Sequence[tuple[str, bool]]
    excerpt: Sequence[tuple[str, bool]]


def search_help(library: Library, query: str) -> list[Result]:
    """Return the sections that contain every word of `query`, the best ones first; at most `MOST_RESULTS`."""
    words = [word.lower() for word in _WORD.findall(query)][:_MOST_WORDS]
    if not words:
        return []
    found = [
        (rank, number, page, section)
        for number, page in enumerate(library.pages.values())
        for section in page.rendered.sections
        if (rank := _rank(page, section, words)) is not None
    ]
    # The pages' own order decides between equals.
    found.sort(key=lambda each: each[:2])
    marked = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)), re.IGNORECASE)
    return [_result(page, section, marked) for _, _, page, section in found[:MOST_RESULTS]]


def _rank(page: Page, section: Section, words: Sequence[str]) -> int | None:
    """Return how far down a section belongs; None where it does not match."""
    heading, text = f"{section.heading or page.title}".lower(), section.text.lower()
    if not all(word in heading or word in text for word in words):
        return None
    in_heading = sum(word in heading for word in words)
    return GROUPS.index(page.group) * 2 - 3 * in_heading


def _result(page: Page, section: Section, words: re.Pattern[str]) -> Result:
    address = f"{page.address}#{section.anchor}" if section.anchor else page.address
    text = section.text
    first = words.search(text)
    start = max(0, first.start() - _BEFORE) if first else 0
    if start:
        start = text.find(" ", start) + 1 or start
    excerpt = text[start : start + _BEFORE + _AFTER]
    if len(text) > start + len(excerpt):
        excerpt = excerpt.rpartition(" ")[0] + " …"
    return Result(
        page, address, _parts(section.heading or page.title, words), _parts(("… " if start else "") + excerpt, words)
    )


def _parts(text: str, words: re.Pattern[str]) -> list[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    at = 0
    for match in words.finditer(text):
        parts += [(text[at : match.start()], False), (match[0], True)]
        at = match.end()
    return [part for part in (*parts, (text[at:], False)) if part[0]]
