import string

from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.protocol.client_info import (
    UNKNOWN,
    ClientInfo,
    client_from_info,
    client_from_session_id,
    client_from_user_agent,
    session_id,
)
from tests.token_shapes import assembled_token


@given(st.text(max_size=120), st.text(max_size=60))
def test_a_name_survives_the_way_through_the_session_id(name, version):
    client = client_from_info({"name": name, "version": version})
    carrier = session_id(client)
    assert client_from_session_id(carrier) == client
    assert set(carrier) <= set(string.ascii_letters + string.digits + "-_:=.")


def test_a_session_id_that_we_did_not_make_carries_nothing():
    genuine = session_id(ClientInfo("Claude Code", "2.1"))
    forged = genuine[:-1] + ("A" if genuine[-1] != "A" else "E")
    for value in ("", "x", "a:b:c", forged, "ü" * 10, "A" * 10_000):
        assert client_from_session_id(value) == UNKNOWN


def test_the_first_product_of_the_user_agent_is_the_label():
    assert client_from_user_agent("claude-code/2.1.0 (linux)") == ClientInfo("claude-code", "2.1.0")
    assert client_from_user_agent("") == UNKNOWN


def test_a_label_is_one_printable_line_without_secrets():
    client = client_from_info({"name": f"evil\n\u202e{assembled_token(secret='Ab3')}", "version": 7})
    assert client.name == "evilhsk_live_4f8a2c1bdedf_••••"
    assert client.version == ""


def test_anything_else_than_an_object_is_unknown():
    for info in (None, [], "Claude", 3):
        assert client_from_info(info) == UNKNOWN
