import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.redaction import redact, redact_value
from tests.conftest import assembled_token

TOKEN = assembled_token(secret="Q7wErT9z")
SECRET = TOKEN.rsplit("_", 1)[1]


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Authorization: Bearer {TOKEN}",
        f'{{"authorization": "Bearer {TOKEN}"}}',
        f"note: {TOKEN}, and again {TOKEN}.",
        f"{TOKEN.upper()}",
        f"hsk_live_{SECRET}",
        f"hsk_{SECRET}",
        f"hsk_live_4f8a2c1bdedf-{SECRET}",
        f"Bearer {SECRET}",
        f"https://example.com/?token={TOKEN}&x=1",
    ],
)
def test_no_piece_of_a_secret_survives(text):
    shown = redact(text).lower()
    pieces = {SECRET[i : i + 8].lower() for i in range(len(SECRET) - 7)}
    assert not any(piece in shown for piece in pieces)


def test_the_public_prefix_survives_so_that_the_token_can_be_found():
    assert redact(f"used {TOKEN}") == "used hsk_live_4f8a2c1bdedf_••••"


def test_text_without_tokens_stays_as_it_is():
    assert redact("Bearer of good news: 3 h for Globex") == "Bearer of good news: 3 h for Globex"


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.just(TOKEN)),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just(TOKEN), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_secrets_are_masked_at_any_depth_and_in_keys(value):
    assert SECRET not in repr(redact_value(value))
