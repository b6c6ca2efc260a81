"""`/mcp` takes access envelopes of live grants, and continues with the token that is in them."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection
from pytest_django import Settings

from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.core.credential import Credential
from mcpbridge.grants.ending import end_grant
from mcpbridge.grants.envelopes import Envelope, Flags, Kind, new_grant_id, seal
from mcpbridge.models import EndReason, ObservedConnection, RejectedCredential, ToolCall
from tests.databases import RecordDatabase
from tests.mcpbridge.fixtures import ME, TOKEN, Talk, bridge_to, error_of, hoursmith, result_of
from tests.mcpbridge.grants.authorizing import allowed

GOLDEN = Path(__file__).parent / "golden" / "challenges.json"
Conversation = Callable[[Talk], Awaitable[Any]]
SLUG = "abcdefgh2345"


def access(**more: Any) -> str:
    """An access envelope with the token of the tests."""
    _, env, prefix, secret = TOKEN.split("_")
    made = Envelope(
        kind=Kind.ACCESS,
        credential=Credential(env=env, prefix=prefix, secret=secret),
        expires_at=int(time.time()) + 3600,
        grant=new_grant_id(),
        generation=1,
        connection=SLUG,
    )
    return seal(replace(made, **more)).reveal()


@pytest.fixture
def talking(sqlite_database: RecordDatabase, runner: Any) -> Callable[..., Any]:
    def talk(conversation: Conversation, handler: Callable[[httpx.Request], Any] = hoursmith) -> Any:
        async def whole() -> Any:
            bridge = bridge_to(handler)
            await bridge.start()
            try:
                return await conversation(Talk(bridge))
            finally:
                await bridge.stop()

        return runner.run(whole())

    return talk


def test_hoursmith_gets_the_token_and_never_the_envelope(talking: Callable[..., Any]) -> None:
    got: list[dict[str, str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        got.append(dict(request.headers))
        return hoursmith(request)

    ObservedConnection.objects.create(slug=SLUG, org_id=ME["orgId"])
    text = access()
    assert json.loads(result_of(talking(lambda talk: talk.call("get_me", token=text), handler))["content"][0]["text"])
    assert {each["authorization"] for each in got} == {f"Bearer {TOKEN}"}
    assert "hse_" not in repr(got)
    call = ToolCall.objects.get()
    # It is shown under the connection of its grant.
    assert (call.prefix, call.connection) == (TOKEN.split("_")[2], SLUG)
    assert ObservedConnection.objects.get().calls == 1


@pytest.mark.parametrize(
    ("more", "path", "fault"),
    [
        ({"expires_at": 1_000_000_000}, "/mcp", "envelope_expired"),
        ({}, "/mcp/c/another2345x", "wrong_connection"),
        ({}, f"/mcp/c/{SLUG}", ""),
        ({"connection": ""}, "/mcp/c/another2345x", ""),
    ],
)
def test_an_envelope_is_good_for_its_time_and_connection(
    talking: Callable[..., Any], more: dict[str, Any], path: str, fault: str
) -> None:
    text = access(**more)
    answer = talking(lambda talk: talk.call("get_me", path=path, token=text))
    if not fault:
        assert answer.status_code == 200
        return
    assert (answer.status_code, error_of(answer)["data"]["fault"]) == (401, fault)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    rejected = RejectedCredential.objects.get()
    assert (rejected.fault, rejected.prefix, rejected.connection) == (fault, TOKEN.split("_")[2], SLUG)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hse_a1_" + "A" * 140, "envelope_unreadable"),
        ("hse_", "not_an_access_envelope"),
        ("hse_r1_AAAA", "not_an_access_envelope"),
        ("hse_c1_AAAA", "not_an_access_envelope"),
        ("hse_d1_AAAA", "not_an_access_envelope"),
        ("hse_a2_AAAA", "not_an_access_envelope"),
    ],
)
def test_other_texts_of_ours_are_named(talking: Callable[..., Any], text: str, fault: str) -> None:
    answer = talking(lambda talk: talk.call("get_me", token=text))
    assert (answer.status_code, error_of(answer)["data"]["fault"]) == (401, fault)
    assert "resource_metadata" in answer.headers["www-authenticate"]
    # Nothing of what was sent is repeated.
    assert "AAAA" not in answer.text + str(answer.headers)


def test_a_read_only_envelope_is_read_only_at_every_address(talking: Callable[..., Any]) -> None:
    text = access(flags=Flags.READ_ONLY)
    answer = talking(lambda talk: talk.call("delete_client", {"id": "x"}, token=text))
    assert "read_only" in answer.text
    listed = talking(lambda talk: talk.post("tools/list", token=text))
    assert "delete_client" not in listed.text


def test_a_grant_that_ended_is_refused_at_the_next_request(talking: Callable[..., Any]) -> None:
    grant = allowed().grant
    text = access(grant=grant.pk, connection="")

    def in_own_thread() -> None:
        try:
            end_grant(grant=grant, why=EndReason.MEMBER, actor="Ana")
        finally:
            connection.close()

    async def conversation(talk: Talk) -> list[httpx.Response]:
        before = await talk.call("get_me", token=text)
        await asyncio.to_thread(in_own_thread)
        return [before, await talk.call("get_me", token=text), await talk.post("tools/list", token=text)]

    before, *after = talking(conversation)
    assert before.status_code == 200
    for answer in after:
        assert (answer.status_code, error_of(answer)["data"]["fault"]) == (401, "grant_ended")
        assert "Connect it again" in error_of(answer)["message"]


def test_a_blocked_token_is_refused_in_an_envelope_too(talking: Callable[..., Any]) -> None:
    _, env, prefix, _ = TOKEN.split("_")
    block_token(env=env, prefix=prefix, org_id=ME["orgId"], actor="Ben", reason="leaked")
    text = access()
    answer = talking(lambda talk: talk.call("get_me", token=text))
    assert error_of(answer)["data"]["fault"] == "blocked"


def test_while_oauth_is_off_no_envelope_is_opened(talking: Callable[..., Any], settings: Settings) -> None:
    text = access()
    settings.OAUTH = False
    answer = talking(lambda talk: talk.call("get_me", token=text))
    assert error_of(answer)["data"]["fault"] == "envelope_unreadable"
    assert "resource_metadata" not in answer.headers["www-authenticate"]


def test_the_challenge_is_what_was_agreed(talking: Callable[..., Any], settings: Settings) -> None:
    settings.PUBLIC_URL = "https://console.example.com"

    async def conversation(talk: Talk) -> dict[str, str]:
        found = {}
        for path in ("/mcp", "/mcp/", "/mcp/readonly", f"/mcp/c/{SLUG}", f"/mcp/c/{SLUG}/readonly"):
            for name, header in (("none", ""), ("envelope", "Bearer hse_a1_AAAA"), ("token", "Bearer hsk_live_x")):
                headers = {"Authorization": header} if header else {}
                answer = await talk.bare(path, headers)
                found[f"{path} {name}"] = answer.headers["www-authenticate"]
        return found

    assert talking(conversation) == json.loads(GOLDEN.read_text(encoding="utf-8"))
