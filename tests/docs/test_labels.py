"""Labels that the documents quote are those of the pages."""

import re

import pytest

from tests.paths import ROOT

# The pages of the help put labels in italics; other documents say “Under *…*”, “choose *…*” or “choose **…**”.
_HELP = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
_OTHERS = re.compile(r"(?:[Uu]nder|[Cc]hoose) (?:\*{1,2})([A-Z][^*\n]+?)(?:\*{1,2})")
_MARKUP = re.compile(r"\{%.*?%\}|<[^>]*>", re.DOTALL)
_STRING = re.compile(r"\"([^\"]*)\"")


def _shown() -> str:
    """Return the text of all templates, and of the code, in which titles and labels of forms are."""
    # Some labels are arguments of a template that is included.
    templates = [
        _MARKUP.sub(lambda tag: " ".join(_STRING.findall(tag[0])) if tag[0].startswith("{% include") else "", text)
        for text in (path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.html"))
    ]
    code = [path.read_text("utf-8") for path in (ROOT / "hoursmith_console").rglob("*.py")]
    return " ".join("\n".join([*templates, *code]).split())


def _quoted() -> list[tuple[str, str]]:
    documents = sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "docs/help").glob("*.md"))
    return [
        (path.relative_to(ROOT).as_posix(), label.strip())
        for path in documents
        for quoted in (_HELP if path.parent.name == "help" else _OTHERS).findall(path.read_text("utf-8"))
        for label in quoted.split("→")
    ]


SHOWN = _shown()


@pytest.mark.parametrize(("document", "label"), _quoted())
def test_a_quoted_label_is_on_a_page(document: str, label: str) -> None:
    assert re.search(rf"(?<!\w){re.escape(label)}(?!\w)", SHOWN), f"{document} quotes “{label}”."


def test_labels_are_found() -> None:
    found = _quoted()
    assert {document for document, _ in found} >= {
        "docs/operating.md",
        "docs/audit-streaming.md",
        "docs/help/tokens.md",
    }
    assert len(found) > 20
