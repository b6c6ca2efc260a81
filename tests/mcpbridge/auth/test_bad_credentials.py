"""Credentials of every faulty kind: HTTP 401, the fault by name, what to do, and not a character of the secret."""

import json
import secrets
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcpbridge.core.credential import CredentialErrorCode
from tests.mcpbridge.factories import minted
from tests.mcpbridge.mcp_client import ERAS, Wire, refused
from tests.revoking import revoke_at_hoursmith
from tests.servers import Served, served_console

UNAUTHENTICATED, TOO_MANY_ATTEMPTS = -32040, -32041
SECRET = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))
PREFIX = secrets.token_hex(6)
TOKEN = "_".join(["hsk", "live", PREFIX, SECRET])
UNKNOWN = f"Bearer {TOKEN}"

FAULTS: dict[str, tuple[str | None, CredentialErrorCode]] = {
    "no header": (None, CredentialErrorCode.MISSING),
    "empty header": ("", CredentialErrorCode.EMPTY),
    "scheme alone": ("Bearer", CredentialErrorCode.EMPTY),
    "no scheme": (TOKEN, CredentialErrorCode.OTHER_SCHEME),
    "basic": (f"Basic {SECRET}", CredentialErrorCode.OTHER_SCHEME),
    "bearer twice": (f"Bearer Bearer {TOKEN}", CredentialErrorCode.BEARER_TWICE),
    "shell reference": ("Bearer ${HOURSMITH_API_TOKEN}", CredentialErrorCode.UNEXPANDED),
    "shell reference without braces": ("Bearer $HOURSMITH_API_TOKEN", CredentialErrorCode.UNEXPANDED),
    "editor's reference": ("Bearer ${env:HOURSMITH_API_TOKEN}", CredentialErrorCode.UNEXPANDED),
    "other editor's reference": ("Bearer {env:HOURSMITH_API_TOKEN}", CredentialErrorCode.UNEXPANDED),
    "prompt's reference": ("Bearer ${input:hoursmith-token}", CredentialErrorCode.UNEXPANDED),
    "reference as the header": ("${AUTH_HEADER}", CredentialErrorCode.UNEXPANDED),
    "quoted": (f'Bearer "{TOKEN}"', CredentialErrorCode.QUOTED),
    "space inside": (f"Bearer {TOKEN[:40]} {TOKEN[40:]}", CredentialErrorCode.WHITESPACE),
    "two tokens": (f"Bearer {TOKEN} {TOKEN}", CredentialErrorCode.WHITESPACE),
    "placeholder": ("Bearer <paste your token here>", CredentialErrorCode.PLACEHOLDER),
    "placeholder in shape": ("Bearer hsk_live_…".encode().decode("latin-1"), CredentialErrorCode.MALFORMED),
    "another service's": (f"Bearer ghp{SECRET}", CredentialErrorCode.NOT_A_TOKEN),
    "cut off": (f"Bearer {TOKEN[:-1]}", CredentialErrorCode.MALFORMED),
    "too much": (f"Bearer {TOKEN}x", CredentialErrorCode.MALFORMED),
    "other environment": (f"Bearer {TOKEN.replace('live', 'prod')}", CredentialErrorCode.MALFORMED),
    "far too long": (f"Bearer {SECRET * 200}", CredentialErrorCode.TOO_LONG),
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console of its own: what is tried here counts against the address."""
    folder: Path = tmp_path_factory.mktemp("door")
    with served_console(folder) as served:
        yield served
        assert "Traceback" not in served.output()
        for piece in (SECRET[start : start + 8] for start in range(len(SECRET) - 7)):
            assert piece not in served.output()


@pytest.fixture(params=ERAS)
def wire(request: pytest.FixtureRequest, door: Served, http: httpx.Client) -> Wire:
    return Wire(door.mcp_url, TOKEN, http, request.param)


def send(wire: Wire, authorization: str | None, method: str = "tools/list") -> httpx.Response:
    headers = wire.headers(method, "get_me" if method == "tools/call" else "")
    del headers["Authorization"]
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    if authorization is not None:
        lines.append((b"Authorization", authorization.encode("latin-1")))
    params: dict[str, Any] = {"name": "get_me"} if method == "tools/call" else {}
    return wire.post(wire.request(method, params), lines)


def unauthenticated(response: httpx.Response, fault: CredentialErrorCode) -> dict[str, Any]:
    error = refused(response, status=401, code=UNAUTHENTICATED)
    assert error["data"]["fault"] == fault
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    # RFC 6750 section 3.1: without any credential the challenge names no error.
    assert ("invalid_token" in challenge) is (fault is not CredentialErrorCode.MISSING)
    answered = response.text + json.dumps(list(response.headers.items()))
    for start in range(len(SECRET) - 7):
        assert SECRET[start : start + 8] not in answered
    return error


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_credential_is_named_for_the_person_who_set_it_up(wire: Wire, kind: str) -> None:
    authorization, fault = FAULTS[kind]
    for method in ("tools/list", "tools/call"):
        assert unauthenticated(send(wire, authorization, method), fault)["message"].endswith(".")


def test_two_credentials_are_one_too_many(wire: Wire) -> None:
    lines = [*wire.headers("tools/list").items(), ("Authorization", UNKNOWN)]
    unauthenticated(wire.post(wire.request("tools/list"), lines), CredentialErrorCode.REPEATED_HEADER)


def test_bytes_that_are_no_text_are_no_token(wire: Wire) -> None:
    lines = [(name.encode(), value.encode()) for name, value in wire.headers("tools/list").items()]
    lines = [(name, value) for name, value in lines if name != b"Authorization"]
    response = wire.post(wire.request("tools/list"), [*lines, (b"Authorization", b"Bearer \xff\xfe\x80")])
    unauthenticated(response, CredentialErrorCode.NOT_A_TOKEN)


def test_unknown_revoked_and_blocked_tokens_are_refused_and_guessing_ends(door: Served, http: httpx.Client) -> None:
    good, revoked, blocked = minted(door, http, *[(door.person("OWNER")["email"], "write")] * 3)
    for wire in (good, revoked, blocked):
        assert wire.data("get_me")["role"] == "OWNER"

    revoke_at_hoursmith(door, revoked.token)
    door.shell(
        f"""
from mcpbridge.auth.restrictions.blocks import block_token
block_token(env="live", prefix="{blocked.token.split("_")[2]}", org_id="x", actor="test", reason="")
print("true")
"""
    )

    unauthenticated(send(revoked, f"Bearer {revoked.token}", "tools/call"), CredentialErrorCode.REJECTED)
    unauthenticated(send(revoked, f"Bearer {revoked.token}"), CredentialErrorCode.REJECTED)
    error = unauthenticated(send(blocked, f"Bearer {blocked.token}", "tools/call"), CredentialErrorCode.BLOCKED)
    assert "admin" in error["message"]
    unauthenticated(send(good, UNKNOWN, "tools/call"), CredentialErrorCode.REJECTED)
    # The same secret part under the prefix of a token that exists opens nothing either.
    mixed = "_".join(["hsk", "live", good.token.split("_")[2], SECRET])
    unauthenticated(send(good, f"Bearer {mixed}"), CredentialErrorCode.REJECTED)

    answers = [send(good, f"Bearer {TOKEN[:-2]}{number}") for number in range(10, 22)]
    held_back = [answer for answer in answers if answer.status_code == 429]
    assert held_back, "strangers must not spend the upstream's patience"
    for answer in held_back:
        error = refused(answer, status=429, code=TOO_MANY_ATTEMPTS)
        assert 0 < int(answer.headers["retry-after"]) == error["data"]["retryAfter"] <= 60
    assert good.data("get_me")["role"] == "OWNER"
