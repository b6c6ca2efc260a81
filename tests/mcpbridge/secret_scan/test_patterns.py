"""A secret is recognised however it is wrapped, and what may be seen of a token is not taken for one."""

import base64
import json
import time
from urllib.parse import quote

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.secret_scan.patterns import is_suspect, secrets_in
from tests.token_shapes import assembled_token

SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"
TOKEN = assembled_token(secret=SECRET)
PUBLIC = "hsk_live_4f8a2c1bdedf_••••"


def _split(mark: str) -> str:
    return f"{TOKEN[:30]}{mark}{TOKEN[30:]}"


WRAPPED = {
    "plain": TOKEN,
    "in upper case": TOKEN.upper().replace("4F8A2C1BDEDF", "4f8a2c1bdedf"),
    "cut short": TOKEN[:-12],
    "a dash for an underscore": TOKEN.replace("df_", "df-"),
    "a space in it": TOKEN.replace("df_", "df_ "),
    "split by code": _split('" + "'),
    "split over lines": _split('"\n    "'),
    "split by escaped line breaks": _split('\\n" "'),
    "split by backslash": _split("\\\n"),
    "split by mail": _split("=\r\n"),
    "twice escaped for an address": quote(quote(TOKEN)).replace("_", "%255F"),
    "escaped for an address": TOKEN.replace("_", "%5F"),
    "escaped in JSON": TOKEN.replace("_", "\\u005f"),
    "behind Bearer": f"Authorization: Bearer {SECRET}",
    "in a header's dictionary": f"{{'authorization': 'Bearer {SECRET}'}}",
    "in JSON": json.dumps({"note": f"use {TOKEN}"}),
    "in a signed value": signing.dumps({"note": TOKEN, "more": "x" * 200}, compress=True),
    "in a signed value that is not compressed": signing.dumps([TOKEN]),
}


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_it_is_found_however_it_is_wrapped(text: str) -> None:
    for data in (text.encode(), f"before\n{text} after".encode(), text.encode() * 3):
        found = list(secrets_in(data))
        assert is_suspect(data)
        assert found
        assert not any(SECRET.lower()[start : start + 8] in str(found).lower() for start in range(24))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_it_is_found_in_two_byte_text(encoding: str) -> None:
    data = f"note: {TOKEN}!".encode(encoding)
    assert is_suspect(data)
    assert f"{PUBLIC}, in UTF-16" in [said for _, said in secrets_in(data)]


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_it_is_found_at_any_place_of_base64(before: int, encode) -> None:
    data = b'{"blob": "' + encode(b"\xff" * before + TOKEN.encode() + b"\xfe\xff" * 9) + b'"}'
    assert is_suspect(data)
    assert [said for _, said in secrets_in(data)] == [f"{PUBLIC}, in base64"]


def test_where_it_begins_is_told() -> None:
    assert list(secrets_in(f"ab {TOKEN} {TOKEN}".encode())) == [(3, PUBLIC), (4 + len(TOKEN), PUBLIC)]


@pytest.mark.parametrize(
    "text",
    [
        PUBLIC,
        "hsk_live_4f8a2c1bdedf",
        "hsk_live_4f8a2c1bdedf_",
        "the token hsk_live_4f8a2c1bdedf was revoked internationalisation1",
        f'"hsk_live_4f8a2c1bdedf","{"0a1b2c3d" * 4}"',
        f"hsk_live_4f8a2c1bdedf,{'0a1b2c3d' * 4}",
        "hsk_live_xxxxxxxxxxxx_" + "x" * 32,
        "hsk_live_… or hsk_test_…",
        "Bearer of good news, by 0123456789abcdef",
        "Bearer ${HOURSMITH_API_TOKEN}",
        f"Bearer {'ab' * 20}",
        base64.b64encode(PUBLIC.encode()).decode(),
        signing.dumps({"token": PUBLIC, "more": "x" * 200}, compress=True),
    ],
)
def test_what_may_be_seen_of_a_token_is_no_secret(text: str) -> None:
    assert list(secrets_in(text.encode())) == []


@given(st.binary(max_size=400))
def test_any_bytes_can_be_looked_at(data: bytes) -> None:
    assert not list(secrets_in(data)) or is_suspect(data)


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from([*WRAPPED.values()]))
def test_what_is_found_closely_is_suspected_at_first_sight(before: bytes, after: bytes, text: str) -> None:
    assert is_suspect(before + text.encode() + after)


@pytest.mark.parametrize(
    "piece",
    [
        'hsk_live_4f8a2c1bdedf_a"',
        "hsk_live_4f8a2c1bdedf_" + 'a"n' * 7,
        "\\n\\n\"'`=",
        "hsk_" * 8,
        ".eJ" + "a" * 29,
        "aHNrX2xpdmVf",
    ],
)
def test_no_text_is_slow(piece: str) -> None:
    data = (piece * (256 * 1024 // len(piece))).encode()
    begun = time.process_time()
    list(secrets_in(data))
    # Not a measure of speed: what grows with more than the length would take hours.
    assert time.process_time() - begun < 20


@pytest.mark.parametrize("kind", ["a1", "r1", "c1", "p1"])
def test_an_envelope_of_an_assistant_is_found_and_a_client_id_is_not(kind: str) -> None:
    text = f"Set-Cookie: x=hse_{kind}_{'Ab9-_' * 20}; client_id=hse_d1_{'Ab9-_' * 20}".encode()
    assert is_suspect(text)
    assert list(secrets_in(text)) == [(14, f"hse_{kind}_••••, an envelope of an assistant")]
