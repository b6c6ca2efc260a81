"""The files that the documents name exist, and so do the pages and sections that they link to."""

import re
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
# Paths from the root of the repository, in backticks.
_PATH = re.compile(r"`((?:bench|docs|hoursmith_console|mcpbridge|static|templates|tests)/[\w./-]*)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
# A superseded decision keeps the file names of its day.
CURRENT = [page for page in PAGES if "- Status: Superseded" not in page.read_text(encoding="utf-8")]


def _sections(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the hosting platform makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    missing = [path for path in _PATH.findall(page.read_text(encoding="utf-8")) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_page_and_section(page: Path) -> None:
    broken = []
    for target, section in _LINK.findall(page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        if not linked.exists() or (section and section not in _sections(linked)):
            broken.append(f"{target}#{section}")
    assert broken == []


def test_the_list_of_changes_names_the_same_file_nineteen_times() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Twenty changes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!Change \||---)(.+?) \| `(.+?)` \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) == 20
    assert sum(really.startswith("the same") for _, _, really in rows) >= 19
    for _, first, really in rows:
        path = first if really.startswith("the same") else really.split("`")[1]
        for name in re.findall(r"\(`(\w+)`\)", really):
            assert re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8")), f"{name} is not in {path}"


def test_the_index_of_decisions_lists_each_with_its_title_and_status() -> None:
    folder = ROOT / "docs/adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    row = r"^\| \[(\d{4})\]\((.+?)\) \| (.+?) \| (.+?) \| (.+?) \|$"
    head = re.compile(r"# (\d+)\. (.+)\n\n- Status: (.+)\n- Date: (\d{4}-\d\d-\d\d)\n")
    decisions = []
    for page in sorted(folder.glob("[0-9]*.md")):
        found = head.match(page.read_text(encoding="utf-8"))
        assert found is not None, page.name
        decisions.append((f"{int(found[1]):04d}", page.name, *found.group(2, 3, 4)))
    assert re.findall(row, index, re.MULTILINE) == decisions
