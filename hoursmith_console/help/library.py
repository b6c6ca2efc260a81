"""The pages of the help, made of the documents in `DOCS_DIR` once in each process."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from django.conf import settings
from django.urls import get_script_prefix, reverse

from hoursmith_console.help.error_codes import error_codes_page
from hoursmith_console.help.markdown import Rendered, Section, render_markdown

USING, RUNNING, AUDITING, DEVELOPING = (
    "Using the console",
    "Running the console",
    "Auditing and security",
    "Development",
)
GROUPS = (USING, RUNNING, AUDITING, DEVELOPING)
# In the order in which a new member needs them; others follow by their name.
_FIRST = (
    *("getting-started", "connections", "tokens", "rotation", "activity", "audit-log", "approvals", "alerts"),
    *("restore", "members", "settings", "search", "troubleshooting", "errors", "glossary"),
)
_GROUP_OF = {
    "rotation": USING,
    "restore": USING,
    "errors": USING,
    "glossary": USING,
    "audit-format": AUDITING,
    "evidence": AUDITING,
    "security": AUDITING,
    "architecture": DEVELOPING,
}
_FILES = {".png": "image/png", ".py": "text/plain"}


class Page:
    """One document. `path` is relative to the folder of documents; its HTML is made when it is first asked for."""

    def __init__(self, path: str, text: str, library: "Library") -> None:
        self.path, self._text, self._library = path, text, library
        self.slug = path.removesuffix(".md").removeprefix("help/").replace("/", "-").lower()

    @property
    def group(self) -> str:
        """The group of pages that it belongs to."""
        if self.path.startswith("adr/"):
            return DEVELOPING
        return _GROUP_OF.get(self.slug, USING if self.path.startswith("help/") else RUNNING)

    @property
    def place(self) -> tuple[int, int, str]:
        """What pages are sorted by."""
        rank = _FIRST.index(self.slug) if self.slug in _FIRST else len(_FIRST)
        return GROUPS.index(self.group), rank, self.path

    @property
    def title(self) -> str:
        """The heading of the page."""
        return self.rendered.title

    @property
    def address(self) -> str:
        """The path of the page."""
        return reverse("console:help:page", args=[self.slug])

    @property
    def contents(self) -> list[Section]:
        """The headings for the table of contents."""
        return [section for section in self.rendered.sections if section.level in (2, 3)]

    @cached_property
    def rendered(self) -> Rendered:
        """Its HTML and sections."""
        return render_markdown(self._text, self._resolve)

    def _resolve(self, address: str) -> str | None:
        """Return where the help serves what a link of this document leads to; None where it does not."""
        target, sharp, anchor = address.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), target))
        if page := self._library.by_path.get(path):
            return f"{page.address}{sharp}{anchor}"
        name = posixpath.basename(path)
        return reverse("console:help:file", args=[name]) if name in self._library.files else None


@dataclass(frozen=True, slots=True)
class File:
    """A file that documents show or link to."""

    path: Path
    content_type: str


class Library:
    """All pages and files below `folder`."""

    def __init__(self, folder: Path) -> None:
        texts = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.md")}
        # Not a document: made of the codes that the bridge knows.
        texts["help/errors.md"] = error_codes_page()
        pages = sorted((Page(path, text, self) for path, text in texts.items()), key=lambda page: page.place)
        self.pages: Mapping[str, Page] = {page.slug: page for page in pages}
        self.by_path: Mapping[str, Page] = {page.path: page for page in pages}
        found = (path for path in sorted(folder.rglob("*")) if path.suffix in _FILES)
        self.files: Mapping[str, File] = {path.name: File(path, _FILES[path.suffix]) for path in found}

    @property
    def groups(self) -> list[tuple[str, list[Page]]]:
        """The pages by group; single decisions are listed by their own index."""
        shown = [page for page in self.pages.values() if not page.path.startswith("adr/") or page.slug == "adr-readme"]
        return [(group, [page for page in shown if page.group == group]) for group in GROUPS]


def library() -> Library:
    """Return the help of this installation."""
    return _library(settings.DOCS_DIR, get_script_prefix())


@lru_cache(maxsize=2)
def _library(folder: Path, script_prefix: str) -> Library:
    return Library(folder)
