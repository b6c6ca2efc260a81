"""Every e-mail is built in one place, where names from outside begin no header and become no link."""

import ast
from pathlib import Path

import pytest

from hoursmith_console.core.texts import one_line
from hoursmith_console.workspaces.mail import build_message, unlinked_text
from tests.paths import ROOT

BREAKS = ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\0"]
BUILDERS = {"EmailMessage", "EmailMultiAlternatives", "send_mail", "send_mass_mail", "mail_admins", "mail_managers"}


@pytest.mark.parametrize("mark", BREAKS, ids=ascii)
def test_no_line_break_of_a_name_gets_into_a_header(mark: str) -> None:
    message = build_message(
        subject=f"Acme{mark}Bcc: all@example.com", text="text", to=f"new@example.com{mark}Bcc: all@example.com"
    )
    assert message.subject == "Acme Bcc: all@example.com"
    assert not set(message.to[0]) & set(mark)
    message = build_message(subject=f"Acme{mark}Bcc: all@example.com", text="text", to="new@example.com")
    sent = message.message()
    assert (sent["Bcc"], sent["To"]) == (None, "new@example.com")


def test_a_long_name_makes_no_endless_subject() -> None:
    assert len(build_message(subject="x" * 5000, text="", to="new@example.com").subject) == 200


def test_plain_text_is_one_line() -> None:
    assert unlinked_text("a\r\nBcc: x@y.example\t b") == "a Bcc: x y example b"


def test_what_turns_a_text_around_is_marked() -> None:
    assert one_line("Ana\u202e gnp.exe\u2066", 50) == "Ana\ufffd gnp.exe\ufffd"


def test_every_message_is_built_in_one_place() -> None:
    found = []
    for path in sorted((ROOT / "hoursmith_console").rglob("*.py")) + sorted((ROOT / "mcpbridge").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
        if names & BUILDERS:
            found.append(path.relative_to(ROOT))
    assert found == [Path("hoursmith_console/workspaces/mail.py")]
