"""The served help: every document is a page, its links lead somewhere, nothing in it runs, and it can be searched."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.template import loader
from django.test import Client

from hoursmith_console.help.error_codes import anchor_of
from hoursmith_console.help.library import Library, library
from hoursmith_console.help.markdown import render_markdown
from hoursmith_console.help.search import search_help
from mcpbridge.calls.errors import MESSAGES
from mcpbridge.core.credential import CredentialErrorCode
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_call
from tests.paths import ROOT

Browse = Callable[[str], Client]
_ADDRESS = re.compile(r'(?:href|src)="([^"]*)"')
ERROR_PAGES = ("400", "403", "403_csrf", "404", "429", "500", "503")


def _anchors(slug: str) -> set[str]:
    return {section.anchor for section in library().pages[slug].rendered.sections}


@pytest.mark.parametrize("person", ["owner", "member", "outsider"])
def test_every_member_reads_the_help(browse: Browse, person: str) -> None:
    visitor = browse(person)
    assert "Rotating tokens" in visitor.get("/help/").content.decode()
    for slug in ("tokens", "rotation", "adr-readme", "errors"):
        answer = visitor.get(f"/help/{slug}/")
        assert answer.status_code == 200, slug
        assert f"<h1>{library().pages[slug].title}</h1>" in answer.content.decode()
    assert visitor.get("/help/nothing/").status_code == 404


def test_every_document_is_a_page_with_a_title() -> None:
    documents = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert documents <= set(library().by_path)
    assert len(library().pages) == len(library().by_path)
    assert all(page.title for page in library().pages.values())


def test_every_link_of_the_help_leads_somewhere() -> None:
    pages, files, found = library().pages, library().files, 0
    for page in pages.values():
        for address in _ADDRESS.findall(page.rendered.html):
            if address.startswith("https://"):
                continue
            path, _, anchor = address.partition("#")
            name = path.removeprefix("/help/").rstrip("/") or page.slug
            if name.startswith("files/"):
                assert name.removeprefix("files/") in files, (page.slug, address)
                continue
            assert name in pages, (page.slug, address)
            assert not anchor or anchor in _anchors(name), (page.slug, address)
            found += 1
    assert found > 50


def test_files_of_documents_are_served(browse: Browse) -> None:
    visitor = browse("member")
    picture = visitor.get("/help/files/rotate.png")
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content == (ROOT / "docs/images/rotate.png").read_bytes()
    program = visitor.get("/help/files/verify_audit.py")
    assert program.headers["Content-Disposition"] == 'attachment; filename="verify_audit.py"'
    assert visitor.get("/help/files/operating.md").status_code == 404


def test_nothing_in_a_document_runs_or_leaves_its_place() -> None:
    text = (
        "# Title\n\n<script>alert(1)</script> [bad](javascript:alert(1)) [source](../mcpbridge/app.py) "
        "![far](https://elsewhere.example/x.png)\n\n| a | n |\n|---|---:|\n| b | 1 |\n\n## Twice\n\n## Twice\n"
    )
    made = render_markdown(text, lambda address: None)
    assert made.title == "Title"
    assert "<script" not in made.html
    assert not re.search(r'(?:href|src|style|on\w+)="', made.html), made.html
    assert '<td class="number">1</td>' in made.html
    assert [section.anchor for section in made.sections] == ["", "twice", "twice-1"]


def test_a_diagram_is_shown_as_text() -> None:
    made = render_markdown("# T\n\n```mermaid\nflowchart LR\n  a --> b\n```\n", lambda address: None)
    assert "a --&gt; b" in made.html
    assert "Show the diagram as text" in made.html


def test_the_search_finds_sections_with_every_word(browse: Browse) -> None:
    first = search_help(library(), "leaked tokens")[0]
    assert first.address == "/help/rotation/#leaked-tokens"
    assert search_help(library(), "leaked zqnothing") == []
    assert search_help(library(), " . ") == []
    page = browse("member").get("/help/", {"q": "AUDIT_SIGNING_KEY"}).content.decode()
    assert "<mark>AUDIT_SIGNING_KEY</mark>" in page
    page = browse("member").get("/help/", {"q": "<b>zqnothing"}).content.decode()
    assert "No results for “&lt;b&gt;zqnothing”" in page


def test_an_installation_may_keep_its_documents_elsewhere(tmp_path: Path, browse: Browse, settings) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "only.md").write_text("# Only this\n\nA [dead](gone.md) link.\n", encoding="utf-8")
    settings.DOCS_DIR = tmp_path
    page = browse("member").get("/help/only/").content.decode()
    assert "A dead link." in page
    assert set(Library(tmp_path).pages) == {"only", "errors"}


@pytest.mark.parametrize("code", [*MESSAGES, *CredentialErrorCode])
def test_every_error_code_has_an_entry(code: str) -> None:
    assert anchor_of(code) in _anchors("errors")


def test_rows_link_their_error_code_to_its_entry(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["member"]
    call = make_call(token, result="refused", status=409, code="conflict")
    entry = make_audit(token, result="refused", status=409, code="conflict")
    make_call(token, result="refused", status=418, code="from_elsewhere")
    visitor = browse("member")
    for address in ("/activity/", f"/activity/{call.pk}/", "/audit/", f"/audit/{entry.call_id}/"):
        assert 'href="/help/errors/#conflict"' in visitor.get(address).content.decode(), address
    assert "#from_elsewhere" not in visitor.get("/activity/").content.decode()


@pytest.mark.parametrize("is_safe", [True, False])
@pytest.mark.parametrize("name", ERROR_PAGES)
def test_every_error_page_links_to_what_it_means(name: str, is_safe: bool) -> None:
    page = loader.get_template(f"{name}.html").render({"is_safe": is_safe})
    found = re.findall(r'href="/help/troubleshooting/#([\w-]+)"', page)
    assert len(found) == 1
    assert found[0] in _anchors("troubleshooting")
