"""The end of standard input: it is reported after the answers to what was read, within a limit."""

import asyncio
import json
from io import BytesIO
from typing import Any

import mcp_types as types
import pytest

from mcpbridge.stdio.lines import MessageLines, UnansweredRequests

PING = {"id": 1, "method": "ping"}
ANSWER = types.JSONRPCResponse(jsonrpc="2.0", id=1, result={})
ERROR = types.JSONRPCError(jsonrpc="2.0", id=1, error=types.ErrorData(code=-32601, message="Method not found"))
FOR_EVER_S = 3600.0
WATCHDOG_S = 30.0


def lines_of(unanswered: UnansweredRequests, *messages: dict[str, Any], last_answers_s: float) -> MessageLines:
    source = b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages)
    return MessageLines(BytesIO(source), unanswered, last_answers_s=last_answers_s)


@pytest.mark.parametrize("answer", [ANSWER, ERROR])
def test_the_end_of_input_waits_for_the_answers(runner: asyncio.Runner, answer: types.JSONRPCMessage) -> None:
    seen: list[str] = []

    async def read() -> None:
        unanswered = UnansweredRequests()

        def give_answer() -> None:
            seen.append("answered")
            unanswered.record_sent(answer)

        async with asyncio.timeout(WATCHDOG_S):
            async for _ in lines_of(unanswered, PING, PING, last_answers_s=FOR_EVER_S):
                seen.append("read")
                asyncio.get_running_loop().call_later(0.1, give_answer)
        seen.append("ended")

    runner.run(read())

    assert seen == ["read", "read", "answered", "answered", "ended"]


def test_a_request_that_is_never_answered_delays_the_end_by_the_limit_alone(runner: asyncio.Runner) -> None:
    async def read() -> list[str]:
        async with asyncio.timeout(WATCHDOG_S):
            return [line async for line in lines_of(UnansweredRequests(), PING, last_answers_s=0.01)]

    assert len(runner.run(read())) == 1


@pytest.mark.parametrize(
    "messages",
    [
        (PING, {"method": "notifications/cancelled", "params": {"requestId": 1}}),
        (PING, {"method": "notifications/cancelled", "params": {"requestId": "1"}}),
        ({"method": "notifications/initialized"},),
        ({"id": 1, "result": {}},),
    ],
    ids=["cancelled", "cancelled by its id as text", "a notification", "a response"],
)
def test_what_gets_no_answer_does_not_delay_the_end(
    runner: asyncio.Runner, messages: tuple[dict[str, Any], ...]
) -> None:
    async def read() -> list[str]:
        async with asyncio.timeout(WATCHDOG_S):
            return [line async for line in lines_of(UnansweredRequests(), *messages, last_answers_s=FOR_EVER_S)]

    assert len(runner.run(read())) == len(messages)
