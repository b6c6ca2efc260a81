"""No text that a stranger may send keeps a worker busy: what is read grows with its length and no faster."""

import time
from collections.abc import Callable

import pytest

from hoursmith_console.core.lists.admin import _TOKEN
from hoursmith_console.leaked_tokens.services import parse_token_prefixes
from hoursmith_console.middleware.pasted_tokens import mask_query
from mcpbridge.auth.credentials import credential_from_headers
from mcpbridge.core.credential import CredentialError
from mcpbridge.core.json_parsing import MAX_BODY_BYTES
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.http.request import HttpError, parse_body
from mcpbridge.redaction.masking import redact
from mcpbridge.secret_scan.patterns import secrets_in

# Far above what any of them takes on a busy machine, far below what growing with the square would.
PATIENCE_S = 10


def _credential(data: bytes) -> None:
    with pytest.raises(CredentialError):
        credential_from_headers([b"Bearer " + data[:4000]])


def _body(data: bytes) -> None:
    with pytest.raises(HttpError):
        parse_body(b"[" * 70 + data[: MAX_BODY_BYTES - 70])
    with pytest.raises(HttpError):
        parse_body(b"[]" * 40 + data[: MAX_BODY_BYTES - 80])


READERS: dict[str, Callable[[bytes], object]] = {
    "the credential": _credential,
    "the body": _body,
    "masking": lambda data: redact(data.decode("latin-1")),
    "the address": lambda data: mask_query(data.decode("latin-1")),
    "the leak desk": lambda data: parse_token_prefixes([data.decode("latin-1")]),
    "the search": lambda data: _TOKEN.search(data.decode("latin-1")),
    "the sweep": lambda data: list(secrets_in(data)),
    "the record": lambda data: sanitize_text(data.decode("latin-1"), 200),
}
PIECES = [
    b'"', b'\\"', b'"\\', b"\\", b'"a', b"[", b"]", b"{", b'{"a":', b"[]", b"bearer ", b"bearer:",
    b"bearer" + b" " * 60, b"bearer==", b"hsk_", b"hsk_live_", b"hsk_live_4f8a2c1bdedf", b"hsk_live_4f8a2c1bdedf_",
    b"live_4f8a2c1bdedf", b"${", b"{env:", b"%a", b"<", b"your-", b"$A", b"...", b" ", b"\t", b"\x00", b"a", b"A=",
    b".eJ", b"'\"`=\\n",
]  # fmt: skip


# A third of a second a megabyte; what grew with the square would still take minutes.
SIZES = {"the sweep": MAX_BODY_BYTES // 4}


@pytest.mark.parametrize("reader", READERS)
def test_no_repeated_piece_is_slow(reader: str) -> None:
    size = SIZES.get(reader, MAX_BODY_BYTES)
    for piece in PIECES:
        data = (piece * (size // len(piece)))[:size]
        begun = time.process_time()
        READERS[reader](data)
        assert time.process_time() - begun < PATIENCE_S, piece


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("start", [b"bearer", b'"', b"hsk_live_4f8a2c1bdedf_", b"hsk_", b'["', b"${"])
def test_no_start_that_never_ends_is_slow(reader: str, start: bytes) -> None:
    for piece in (b" ", b"\\", b'\\"', b"a", b"=", b"_", b"\n"):
        data = start + (piece * MAX_BODY_BYTES)[: MAX_BODY_BYTES - 100]
        begun = time.process_time()
        READERS[reader](data)
        assert time.process_time() - begun < PATIENCE_S, piece
