"""The signing key: the same everywhere from the same text, and what its signatures do and do not cover."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mcpbridge.audit.signing import configured_key, cut_message, head_message, is_signed, key_message, key_pair

AT = datetime(2026, 11, 23, 10, 42, 7, 5, tzinfo=UTC)
HEAD = {"org_id": "org-1", "sequence": 7, "hash": "ab" * 32, "at": AT}


def test_the_key_comes_from_the_text_alone_and_shows_only_its_public_half() -> None:
    one, again, other = key_pair("a text"), key_pair("a text"), key_pair("another text")
    assert one == again
    assert one.key_id != other.key_id
    raw = base64.b64decode(one.public_key)
    assert len(raw) == 32
    assert one.key_id == hashlib.sha256(raw).hexdigest()[:16]
    assert "private" not in repr(one).lower()


def test_the_derivation_is_what_the_documentation_says() -> None:
    # RFC 5869 by other means.
    extracted = hmac.digest(b"\0" * 32, b"a text", "sha256")
    seed = hmac.digest(extracted, b"hoursmith audit signing\x01", "sha256")
    expected = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert base64.b64decode(key_pair("a text").public_key) == expected


def test_the_configured_key_is_the_setting(settings: object) -> None:
    settings.AUDIT_SIGNING_KEY = "some text"  # type: ignore[attr-defined]
    assert configured_key() == key_pair("some text")


def test_anybody_with_the_public_key_can_check_a_signature() -> None:
    key = key_pair("a text")
    message = head_message(**HEAD)
    signature = key.sign(message)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_key))
    public.verify(base64.b64decode(signature), message)
    assert is_signed(key.public_key, message, signature)


@pytest.mark.parametrize(
    "changed",
    [{"org_id": "org-2"}, {"sequence": 8}, {"hash": "cd" * 32}, {"at": AT + timedelta(microseconds=1)}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_signature_covers_every_fact(changed: dict[str, object]) -> None:
    key = key_pair("a text")
    signature = key.sign(head_message(**HEAD))
    assert not is_signed(key.public_key, head_message(**{**HEAD, **changed}), signature)


def test_a_signature_under_one_kind_of_statement_is_none_under_another() -> None:
    key = key_pair("a text")
    signature = key.sign(head_message(**HEAD))
    assert not is_signed(key.public_key, cut_message(**HEAD, rows=7), signature)


@pytest.mark.parametrize("wrong", ["", "no base64!", "AAAA", base64.b64encode(b"x" * 64).decode()])
def test_what_is_no_signature_is_not_one(wrong: str) -> None:
    key = key_pair("a text")
    assert not is_signed(key.public_key, b"message", wrong)
    assert not is_signed(wrong, b"message", key.sign(b"message"))


def test_messages_are_canonical_json_with_the_instant_in_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert head_message(**{**HEAD, "at": elsewhere}) == (
        b'{"at":"2026-11-23T10:42:07.000005Z","format":"hoursmith-checkpoint-1","hash":"'
        + b"ab" * 32
        + b'","sequence":7,"workspace":"org-1"}'
    )
    assert json.loads(cut_message(**HEAD, rows=3)) == {
        "format": "hoursmith-cut-1",
        "workspace": "org-1",
        "sequence": 7,
        "hash": "ab" * 32,
        "at": "2026-11-23T10:42:07.000005Z",
        "rows": 3,
    }
    assert json.loads(key_message(key_id="k", public_key="p", since=AT, announced_by="")) == {
        "format": "hoursmith-key-1",
        "key_id": "k",
        "public_key": "p",
        "since": "2026-11-23T10:42:07.000005Z",
        "announced_by": "",
    }
