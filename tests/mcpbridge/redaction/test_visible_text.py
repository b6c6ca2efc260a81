"""Names that hide something: marked where they are kept, and never taken for a name where nothing is to be seen."""

import unicodedata

import pytest

from mcpbridge.core.sanitize import sanitize_snapshot, sanitize_text
from mcpbridge.models import Freeze
from mcpbridge.protocol.client_info import client_from_info
from mcpbridge.redaction.visible_text import MARK, is_plain, marked, shows_nothing
from mcpbridge.tools import TOOLS

HIDDEN = [
    "\u202e",
    "\u200b",
    "\u2066",
    "\u00ad",
    "\ufeff",
    "\u2060",
    "\u3164",
    "\u115f",
    "\u2800",
    "\U000e0041",
    "\u061c",
]
PLAIN = ["Acme", "Müller & Søn", "שלום", "عميل", "می‌خواهم", "👩‍👩‍👧 Family", "❤️", "日本語", "a\nb\tc", "e\u0301"]


@pytest.mark.parametrize("hidden", HIDDEN, ids=unicodedata.name)
def test_what_hides_is_marked_and_is_no_name_alone(hidden: str) -> None:
    assert marked(f"Acme{hidden}elif terces a") == f"Acme{MARK}elif terces a"
    assert not is_plain(hidden)
    assert shows_nothing(f" {hidden}\u200d\t")


def test_every_control_of_the_direction_is_marked() -> None:
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    controls = [chr(point) for point in range(0x110000) if unicodedata.bidirectional(chr(point)) in turning]
    assert len(controls) == 9
    assert not any(map(is_plain, controls))


@pytest.mark.parametrize("text", PLAIN)
def test_names_of_all_languages_stay(text: str) -> None:
    assert marked(text) == text
    assert not shows_nothing(text)


def test_the_label_of_a_record_is_what_can_be_read_of_it() -> None:
    tool = TOOLS["delete_time_entry"]
    assert tool.target_label({"note": "\u202e\u200b", "entryDate": "2026-11-30"}) == "2026-11-30"
    assert tool.target_label({"note": "Acme\u202eelif"}) == f"Acme{MARK}elif"
    assert tool.target_label({"note": "\u3164"}) == ""


def test_a_client_that_hides_its_name_has_none() -> None:
    assert client_from_info({"name": "\u3164\u2800", "version": "1"}).name == ""
    assert client_from_info({"name": "Claude\u3164Code", "version": "1"}).name == f"Claude{MARK}Code"


def test_columns_mark_what_the_snapshot_keeps() -> None:
    assert sanitize_text("Acme\u202e", 200) == f"Acme{MARK}"
    assert Freeze._meta.get_field("reason").get_prep_value("a\u202eb") == f"a{MARK}b"
    # The evidence is what was destroyed, character for character.
    assert sanitize_snapshot({"name": "Acme\u202e"}) == {"name": "Acme\u202e"}
