"""No piece of a secret survives masking, however it is wrapped; the public prefix does."""

import base64
import html
import re
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.redaction.masking import cut, redact, redact_pasted, redact_value, redact_visible
from mcpbridge.redaction.patterns import is_suspect, is_suspect_data
from mcpbridge.secret_scan.patterns import secrets_in
from tests.wrapped_tokens import MANGLED, PREFIX, SECRET, TOKEN, WRAPPED, pieces_left

ALL = {**WRAPPED, **MANGLED}


def readings(text: str) -> str:
    """`text` in all the ways in which someone who looks for a secret might read it."""
    bare = re.sub(r"[^0-9A-Za-z]", "", text)
    decoded = [unquote(unquote(text)), html.unescape(text), text.encode().decode("unicode_escape", "replace")]
    decoded.append(re.sub("[^0-9A-Za-z]", "", unicodedata.normalize("NFKC", text)))
    for run in re.findall(r"[0-9A-Za-z+/_-]{24,}", re.sub(r"\s", "", text)):
        padded = run.replace("-", "+").replace("_", "/") + "=" * (-len(run) % 4)
        if len(run) % 4 != 1:
            decoded.append(base64.b64decode(padded).decode("latin-1"))
    return "\n".join([text, bare, *decoded])


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_no_piece_of_a_secret_survives(text: str) -> None:
    assert pieces_left(readings(text)), "it is there before"
    for whole in (text, f"before {text} after", f"note: {text}, and again {text}."):
        shown = redact(whole)
        assert not pieces_left(readings(shown)), shown
        assert redact(shown) == shown
        assert redact_pasted(whole) == shown
        assert list(secrets_in(shown.encode())) == []


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_what_is_masked_is_found_by_the_sweep_too(text: str) -> None:
    if text != WRAPPED["a space for the last underscore"]:
        assert list(secrets_in(text.encode()))
        assert is_suspect_data(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        PREFIX,
        f"used {PREFIX}",
        f"{PREFIX} was revoked internationally by somebody with long words",
        f"“{PREFIX}”",
        f"({PREFIX})",
        f"Rotated {PREFIX}. The next sentence is long enough to be a secret",
        f"{PREFIX}, {PREFIX}; and {PREFIX}!",
        f"{PREFIX}_••••",
        f"{PREFIX}_•••• → hsk_test_ABCDEFabcdef_••••",
        f"{PREFIX}_…",
        f'{{"successor": "{PREFIX}"}}',
        PREFIX.removeprefix("hsk_"),
        f"/tokens/{PREFIX.removeprefix('hsk_')}/?before=3",
        "hsk_",
        "hsk_live_",
        "hsk_live_…",
        "It begins with hsk_live_ and 12 letters or digits follow",
        "Bearer of good news: 3 h for Globex",
        "the bearer certificate expired",
        "test_registration_of_somebody, live_broadcasting_internationalization",
    ],
)
def test_what_is_public_stays_as_it_is(text: str) -> None:
    assert redact(text) == text
    assert redact_pasted(text) == text


def test_a_random_text_is_left_alone_where_it_may_be_one() -> None:
    code = "4/0AX4XfWj7Lhsk_9vQ2mW7vB4nT6yR8cL1sD3fG5"
    assert redact_pasted(code) == code
    assert redact(code) != code


def test_the_prefix_survives_so_that_the_token_can_be_found() -> None:
    assert redact(f"used {TOKEN}") == f"used {PREFIX}_••••"
    assert redact(f"used {PREFIX}_ZZ9") == f"used {PREFIX}_••••"
    assert redact(f"used {PREFIX}9") == "used hsk_••••"
    assert redact(f"used {PREFIX}/{SECRET[:5]}") == "used hsk_••••"


_PIECES = [
    *ALL.values(), PREFIX, f"{PREFIX}_", f"{PREFIX}_••••", "hsk_", "hsk_live_", "live_", "test_", "_", "Bearer ",
    " ", "\n", "\f", "\x1c",
    "-", ".", "%5F", "\\u005f", "\\", "&#95;", "\u200b", "=", "•", "aHNrX2xpdmVf", "x" * 9, "9", SECRET[:12],
    "ｈｓｋ＿", "\x00",
]  # fmt: skip
MIXED = st.lists(st.sampled_from(_PIECES) | st.text(max_size=6), max_size=8).map("".join)


@given(MIXED, st.integers(1, 80))
def test_masking_twice_is_masking_once(text: str, limit: int) -> None:
    once = redact(text)
    assert redact(once) == once
    assert redact_visible(redact_visible(text)) == redact_visible(text)
    for kept in (cut(once, limit), sanitize_text(text, limit)):
        assert len(kept) <= limit
        assert redact(kept)[:limit] == kept


@given(MIXED)
def test_what_looks_innocent_at_first_sight_is(text: str) -> None:
    if not is_suspect(text):
        assert list(secrets_in(text.encode(errors="replace"))) == []


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.just(TOKEN)),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just(TOKEN), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_secrets_are_masked_at_any_depth_and_in_keys(value: object) -> None:
    assert SECRET not in repr(redact_value(value))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Bearer hse_a1_" + "Ab9-_" * 28, "Bearer hse_a1_••••"),
        ("token=hse_r1_" + "Ab9-_" * 30 + "&x=1", "token=hse_r1_••••&x=1"),
        ("https://x/cb?code=hse_c1_AAAA", "https://x/cb?code=hse_c1_••••"),
        ("HSE_P1_abcd", "HSE_P1_••••"),
        # A client_id is public, and a beginning is nothing.
        ("client_id=hse_d1_AAAA", "client_id=hse_d1_AAAA"),
        ("an envelope begins with hse_a1_", "an envelope begins with hse_a1_"),
    ],
)
def test_of_an_envelope_only_its_kind_is_kept(text: str, kept: str) -> None:
    assert redact(text) == redact_pasted(text) == redact(kept) == kept
