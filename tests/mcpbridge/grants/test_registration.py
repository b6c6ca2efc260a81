"""A client_id is what this console signed, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from mcpbridge.grants.registration import Method, client_secret, is_client_secret, read_registration, register

LOOPBACK = "http://localhost:3118/callback"


def client_id(name: str = "Inspector", method: Method = Method.NONE) -> str:
    return register(name=name, redirects=[LOOPBACK], method=method, now=1_800_000_000)[0].client_id


def test_it_says_what_was_registered() -> None:
    found = read_registration(client_id("MCP Inspector", Method.SECRET))
    assert found is not None
    assert (found.name, found.method, found.registered_at) == ("MCP Inspector", Method.SECRET, 1_800_000_000)
    assert len(found.client_id) < 100


def test_no_character_of_it_can_be_changed() -> None:
    text = client_id()
    for place in range(len(text)):
        for other in "AB-_= \n":
            if other != text[place]:
                assert read_registration(text[:place] + other + text[place + 1 :]) is None
        assert read_registration(text[:place]) is None
    for more in ("A", "AAAA", "=", "\n"):
        assert read_registration(text + more) is None


@given(st.text(max_size=100) | st.text("AZaz09-_=", max_size=100).map("hse_d1_{}".format))
def test_any_other_text_is_none(text: str) -> None:
    assert read_registration(text) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", ""),
        ("  two \n lines ", "two lines"),
        ("x" * 60, "x" * 40),
        ("Ä" * 30, "Ä" * 20),
        ("evil\u202egpj", "evil\ufffdgpj"),
        ("\x00", "\ufffd"),
        ("Bearer hsk_live_4f8a2c1bdedf_" + "S" * 32, None),
    ],
)
def test_a_name_is_short_and_harmless(name: str, shown: str | None) -> None:
    found = read_registration(client_id(name))
    assert found is not None
    assert "SSSS" not in found.name
    assert len(found.name.encode()) <= 40
    if shown is not None:
        assert found.name == shown


def test_a_secret_belongs_to_one_client() -> None:
    one, other = client_id("one"), client_id("other")
    assert is_client_secret(one, client_secret(one))
    assert not is_client_secret(other, client_secret(one))
    for wrong in ("", "x", client_secret(one)[:-1], client_secret(one) + "A", "Ä"):
        assert not is_client_secret(one, wrong)


def test_registrations_outlive_a_new_key_and_end_with_the_old_one(settings: Settings) -> None:
    text = client_id()
    secret = client_secret(text)
    former, settings.OAUTH_SEALING_KEY = settings.OAUTH_SEALING_KEY, "another " * 6
    settings.OAUTH_SEALING_KEYS_OLD = [former]
    assert read_registration(text) is not None
    assert is_client_secret(text, secret)
    settings.OAUTH_SEALING_KEYS_OLD = []
    assert read_registration(text) is None
    assert not is_client_secret(text, secret)


def test_a_registration_of_another_console_is_none(settings: Settings) -> None:
    text = client_id()
    settings.PUBLIC_URL = "https://other.example.com"
    assert read_registration(text) is None
