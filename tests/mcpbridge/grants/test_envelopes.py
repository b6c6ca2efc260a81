"""An envelope is opened by the console that sealed it, as what it was sealed, and by nothing else."""

import base64
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from mcpbridge.core.credential import Credential
from mcpbridge.grants import keys
from mcpbridge.grants.envelopes import Code, Envelope, Flags, Kind, bound_to, new_grant_id, seal, unseal

SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"
CODE = Code(code_id=b"i" * 16, client=b"c" * 16, redirect=b"r" * 16, challenge=b"p" * 32)
BOUND = {Kind.ACCESS: b"", Kind.REFRESH: b"c" * 16, Kind.CODE: bound_to(CODE), Kind.PENDING: b'{"any": "length"}'}


def envelope(kind: Kind, **more: object) -> Envelope:
    made = Envelope(
        kind=kind,
        credential=Credential(env="live", prefix="4f8a2c1bdedf", secret=SECRET),
        expires_at=2_000_000_000,
        grant=new_grant_id(),
        generation=3,
        flags=Flags.READ_ONLY | Flags.RESOURCE_CONNECTION,
        connection="" if kind is Kind.PENDING else "abcdefgh2345",
        bound=BOUND[kind],
    )
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("env", ["live", "test"])
def test_what_was_sealed_is_what_comes_out(kind: Kind, env: str) -> None:
    sealed = envelope(kind, credential=Credential(env=env, prefix="4f8a2c1bdedf", secret=SECRET))
    assert unseal(kind, seal(sealed).reveal()) == sealed
    bare = replace(sealed, connection="", generation=0, flags=Flags.NONE)
    assert unseal(kind, seal(bare).reveal()) == bare


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("other", Kind)
def test_no_kind_passes_for_another(kind: Kind, other: Kind) -> None:
    text = seal(envelope(kind)).reveal()
    renamed = text.replace(f"hse_{kind}1_", f"hse_{other}1_", 1)
    assert (unseal(other, renamed) is not None) is (kind is other)
    if kind is not other:
        assert unseal(other, text) is None


def test_a_kind_sealed_under_the_key_of_another_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    # Even if the keys were the same, the kind is authenticated.
    of_access = keys.ciphers(Kind.ACCESS)
    monkeypatch.setattr(keys, "ciphers", lambda kind: of_access)
    text = seal(envelope(Kind.CODE)).reveal()
    assert unseal(Kind.CODE, text) is not None
    assert unseal(Kind.PENDING, text.replace("hse_c1_", "hse_p1_", 1)) is None


@pytest.mark.parametrize("kind", Kind)
def test_no_bit_can_be_flipped(kind: Kind) -> None:
    text = seal(envelope(kind)).reveal()
    head, data = text[:7], base64.urlsafe_b64decode(text[7:] + "=" * (-len(text[7:]) % 4))
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        assert unseal(kind, head + base64.urlsafe_b64encode(bytes(flipped)).rstrip(b"=").decode()) is None
    # Nor can a character: base64 has bits to spare at its end.
    for place in range(len(text)):
        for other in ("A", "B", "-", "=", " ", "\n"):
            if other != text[place]:
                assert unseal(kind, text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize("kind", Kind)
def test_no_part_and_no_more_of_it_is_opened(kind: Kind) -> None:
    text = seal(envelope(kind)).reveal()
    for end in range(len(text)):
        assert unseal(kind, text[:end]) is None
    for more in ("A", "AAAA", "=", "==", "\n", " ", "hse_"):
        assert unseal(kind, text + more) is None
        assert unseal(kind, more + text) is None


@given(st.text(max_size=400) | st.text("hse_acrpd1-_AZaz09=", max_size=400).map("hse_a1_{}".format))
def test_any_other_text_is_none(text: str) -> None:
    assert unseal(Kind.ACCESS, text) is None


def test_an_old_key_still_opens_and_a_removed_one_does_not(settings: Settings) -> None:
    text = seal(envelope(Kind.ACCESS)).reveal()
    was = settings.OAUTH_SEALING_KEY
    settings.OAUTH_SEALING_KEY, settings.OAUTH_SEALING_KEYS_OLD = "another " * 6, [was]
    assert unseal(Kind.ACCESS, text) is not None
    newer = seal(envelope(Kind.ACCESS)).reveal()
    settings.OAUTH_SEALING_KEYS_OLD = []
    assert unseal(Kind.ACCESS, text) is None
    settings.OAUTH_SEALING_KEY = was
    assert unseal(Kind.ACCESS, newer) is None
    settings.OAUTH_SEALING_KEY = ""
    assert unseal(Kind.ACCESS, text) is None


def test_another_console_with_the_same_key_does_not_open_it(settings: Settings) -> None:
    text = seal(envelope(Kind.REFRESH)).reveal()
    settings.PUBLIC_URL = "https://other.example.com"
    assert unseal(Kind.REFRESH, text) is None


def test_two_envelopes_of_the_same_are_not_alike() -> None:
    made = envelope(Kind.ACCESS)
    assert seal(made).reveal() != seal(made).reveal()


def test_lengths_fit_where_clients_put_them() -> None:
    # A code travels in a URL, and in a command line on Windows.
    lengths = {kind: len(seal(envelope(kind)).reveal()) for kind in (Kind.ACCESS, Kind.REFRESH, Kind.CODE)}
    assert lengths == {Kind.ACCESS: 147, Kind.REFRESH: 169, Kind.CODE: 254}


def test_nothing_of_it_is_printed() -> None:
    made = envelope(Kind.ACCESS)
    sealed = seal(made)
    for printed in (
        repr(sealed),
        str(sealed),
        f"{sealed}",
        repr(made),
        str(made),
        repr(made.credential),
        f"{[sealed]}",
    ):
        assert SECRET not in printed
        assert not re.search(r"hse_a1_\w", printed)
    assert repr(sealed) == "hse_a1_••••"


@pytest.mark.parametrize(("kind", "wrong"), [(Kind.ACCESS, b"x"), (Kind.REFRESH, b""), (Kind.CODE, b"x" * 79)])
def test_a_wrong_length_is_never_sealed(kind: Kind, wrong: bytes) -> None:
    with pytest.raises(ValueError, match="bound"):
        seal(envelope(kind, bound=wrong))
    with pytest.raises(ValueError, match="connection"):
        seal(envelope(kind, connection="short"))


def test_it_expires_at_its_second() -> None:
    made = envelope(Kind.ACCESS, expires_at=1000)
    assert not made.is_expired(999.9)
    assert made.is_expired(1000.0)
