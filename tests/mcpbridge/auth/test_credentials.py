import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.auth.credentials import credential_from_headers, credential_from_text
from mcpbridge.core.credential import EXPLANATIONS, Credential, CredentialError, CredentialErrorCode
from tests.token_shapes import assembled_token

SECRET = "Zx9" * 11
TOKEN = assembled_token(secret="Zx9")


def fault_of(*lines: str) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        credential_from_headers([line.encode("latin-1") for line in lines])
    return caught.value


def test_a_whole_token_is_read_into_its_three_parts():
    credential = credential_from_headers([f"Bearer {TOKEN}".encode()])
    assert (credential.env, credential.prefix) == ("live", "4f8a2c1bdedf")
    assert credential.token == TOKEN


@pytest.mark.parametrize("header", [f"bearer {TOKEN}", f"BEARER   {TOKEN}", f"Bearer {TOKEN}  "])
def test_scheme_case_and_space_around_the_token_are_forgiven(header):
    assert credential_from_headers([header.encode()]).token == TOKEN


def test_a_credential_never_shows_its_secret():
    credential = credential_from_text(TOKEN)
    assert credential.secret not in repr(credential)
    assert credential.secret not in f"{credential}"


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("Bearer ${HOURSMITH_API_TOKEN}", CredentialErrorCode.UNEXPANDED),
        ("Bearer ${HOURSMITH_API_TOKEN:-none}", CredentialErrorCode.UNEXPANDED),
        ("Bearer ${env:HOURSMITH_API_TOKEN}", CredentialErrorCode.UNEXPANDED),
        ("Bearer $HOURSMITH_API_TOKEN", CredentialErrorCode.UNEXPANDED),
        ("Bearer {env:HOURSMITH_API_TOKEN}", CredentialErrorCode.UNEXPANDED),
        ("Bearer ${input:hoursmith-token}", CredentialErrorCode.UNEXPANDED),
        ("Bearer %HOURSMITH_API_TOKEN%", CredentialErrorCode.UNEXPANDED),
        ("${AUTH_HEADER}", CredentialErrorCode.UNEXPANDED),
        (f"Bearer Bearer {TOKEN}", CredentialErrorCode.BEARER_TWICE),
        ("Bearer Bearer", CredentialErrorCode.BEARER_TWICE),
        ("Bearer", CredentialErrorCode.EMPTY),
        ("Bearer ", CredentialErrorCode.EMPTY),
        ("", CredentialErrorCode.EMPTY),
        (f'Bearer "{TOKEN}"', CredentialErrorCode.QUOTED),
        (f"Bearer '{TOKEN}'", CredentialErrorCode.QUOTED),
        (f"Bearer {TOKEN[:30]} {TOKEN[30:]}", CredentialErrorCode.WHITESPACE),
        (f"Bearer {TOKEN[:30]}\t{TOKEN[30:]}", CredentialErrorCode.WHITESPACE),
        ("Bearer <paste here>", CredentialErrorCode.PLACEHOLDER),
        ("Bearer <token>", CredentialErrorCode.PLACEHOLDER),
        ("Bearer YOUR_TOKEN", CredentialErrorCode.PLACEHOLDER),
        ("Bearer your-token-here", CredentialErrorCode.PLACEHOLDER),
        ("Bearer hsk_live_xxxxxxxxxxxx_xxxx", CredentialErrorCode.PLACEHOLDER),
        ("Bearer hsk_...", CredentialErrorCode.PLACEHOLDER),
        ("Bearer sk-1234567890", CredentialErrorCode.NOT_A_TOKEN),
        ("Bearer hsk_live_short", CredentialErrorCode.MALFORMED),
        (f"Bearer {TOKEN[:-1]}", CredentialErrorCode.MALFORMED),
        (f"Bearer {TOKEN}x", CredentialErrorCode.MALFORMED),
        (f"Bearer {TOKEN.replace('live', 'prod')}", CredentialErrorCode.MALFORMED),
        (f"Basic {TOKEN}", CredentialErrorCode.OTHER_SCHEME),
        (TOKEN, CredentialErrorCode.OTHER_SCHEME),
        ("Bearer " + "x" * 5000, CredentialErrorCode.TOO_LONG),
    ],
)
def test_each_configuration_fault_has_its_own_name(header, fault):
    assert fault_of(header).code is fault


def test_no_header_and_two_headers_are_told_apart():
    assert fault_of().code is CredentialErrorCode.MISSING
    assert fault_of(f"Bearer {TOKEN}", f"Bearer {TOKEN}").code is CredentialErrorCode.REPEATED_HEADER


def test_the_prefix_of_a_faulty_credential_is_named_only_where_a_whole_token_stands():
    assert fault_of(f'Bearer "{TOKEN}"').token.prefix == "4f8a2c1bdedf"
    assert fault_of(f"Bearer {TOKEN[:-1]}").token.prefix == ""


def test_every_fault_is_explained():
    assert set(EXPLANATIONS) == set(CredentialErrorCode)


def read(reader, value):
    """The credential, or the fault, that `reader` finds in `value`."""
    try:
        return reader(value)
    except CredentialError as error:
        return error


@given(st.text(max_size=200))
def test_any_text_is_a_credential_or_one_named_fault_that_repeats_nothing(text):
    found = read(credential_from_text, text)
    if isinstance(found, Credential):
        assert found.token == text.strip()
    else:
        assert found.code in EXPLANATIONS
        assert str(found) == found.code.value


@given(st.binary(max_size=300))
def test_any_bytes_in_the_header_are_a_credential_or_one_named_fault(line):
    found = read(credential_from_headers, [line])
    assert isinstance(found, Credential) or found.code in EXPLANATIONS
