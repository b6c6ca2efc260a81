"""Words that do not belong into what people read: each pattern with its reason and the word to use instead."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.prose import Line, prose_of, prose_of_markdown, prose_of_python, prose_of_template
from tests.paths import ROOT

CODE = {".py", ".html", ".txt"}
Prose = Callable[[str], Iterator[Line]]

FILES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ".env.example")),
    ROOT / "bench/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

# Each package of code and each folder of templates.
PACKAGES = sorted(
    path
    for root in ("hoursmith_console", "mcpbridge", "templates")
    for path in (ROOT / root).iterdir()
    if path.is_dir() or path.suffix in CODE
)

# Pattern, and why: what to write instead.
WORDS = {
    r"whoever|whomever": "name the role: the user, the operator, reviewers",
    r"nobody|everybody|somebody": "use the passive, a role, or “no member”, “someone”",
    r"anew": "again",
    r"(?:by|of) (?:itself|themselves)": "automatically; or leave it out",
    r"for ever": "forever, indefinitely",
    r"go(?:es)? on": "continue",
    r"to the (?:console|overview|sign.?in page) →": "Back to console, Go to overview",
    r"knock(?:s|ed|ing|ers?)?": "attempt with a revoked token",
    r"(?:at|of) the door|turned away": "rejected",
    r"mend(?:s|ed|ing)?": "fix",
    r"hear(?:s|d)? (?:no more )?of": "confirm that the old token is unused; receive",
    r"leak desk": "leaked tokens",
    r"hand(?:s|ed|ing)? (?:it |them )?out": "export",
    r"public (?:half|halves|parts?)": "token prefix",
    r"sinks?": "log destination",
    r"(?:what|that|tools which) destroys?": "destructive tools",
    r"(?:un)?fr(?:ee|o)z(?:e|es|en|ing)": "pause, resume destructive tools",
    r"contain (?:now|the token)": "block",
    r"let through again|lets? (?:it|the token) through": "unblock",
    r"eldest": "oldest, longest-running, longest-idle",
    r"protocol era|both eras|older era": "protocol version",
    r"(?:its|their|your|the assistant's) persons?": "user",
    r"is (?:under way|at work)|under way": "in progress",
    r"chain holds": "integrity verified",
    r"audit record|in the record|on record|into the record": "audit log",
    r"successors?": "new token",
    r"(?:stands?|stood|lies|lay) (?:in|on|there|until|behind|elsewhere|beside|above|below)(?! for)": "is, is stored",
    r"as it stands|how it stood": "current; at that time",
    r"(?:more|less) power|powers": "permissions, over-privileged",
    r"(?:is|was|be|were|are) away": "unavailable",
    r"recent sign-in|asked again": "re-authentication",
    r"second factors": "two-factor authentication",
    r"courier|keeper|ledger": "dispatcher, maintenance; read-only list",
    r"twelve signs|\d+ signs": "characters",
    r"to be told|is told (?:to|of)|are told (?:to|of)": "gets, is notified",
    r"so (?:long|many) (?:a|until|and)": "for up to, how long",
    r"doctor": "troubleshoot",
    r"idle lines?|kept lines?|a cut line": "connection",
    r"make (?:a|the) tokens?|mak(?:e|es|ing) a new (?:one|token)": "create a token",
}
PATTERNS = {re.compile(rf"\b(?:{words})\b", re.IGNORECASE): reason for words, reason in WORDS.items()}


def found_in(path: Path) -> list[str]:
    """Return the place, the words and the reason of each pattern that a file's prose contains."""
    return [
        f"{path.relative_to(ROOT)}:{number}: “{match[0]}”: {reason}"
        for number, line in prose_of(path)
        for pattern, reason in PATTERNS.items()
        for match in pattern.finditer(line)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_word_of_the_list_is_in(path: Path) -> None:
    assert not found_in(path), "\n".join(found_in(path))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_word_of_the_list_is_in_the_code_or_templates_of(package: Path) -> None:
    files = package.rglob("*") if package.is_dir() else [package]
    code = sorted(path for path in files if path.suffix in CODE and "migrations" not in path.parts)
    found = [place for path in code for place in found_in(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("prose_of_kind", "text", "read"),
    [
        (prose_of_markdown, "a `sink` and [sink](sinks.md)\n```\nsink\n```\nsink", {1: "sink", 5: "sink"}),
        (prose_of_template, '{% url "sink" %}<p title="two sinks">no\n{{ sink }}sink</p>', {1: "sinks", 2: "sink"}),
        (
            prose_of_python,
            'X = "sink"\nY = "a sink"\ndef f():\n    """Make a sink."""  # sink\n',
            {2: "sink", 4: "sink"},
        ),
    ],
)
def test_only_what_people_read_counts(prose_of_kind: Prose, text: str, read: dict[int, str]) -> None:
    pattern = next(each for each in PATTERNS if "sinks?" in each.pattern)
    assert {number: match[0] for number, line in prose_of_kind(text) if (match := pattern.search(line))} == read
