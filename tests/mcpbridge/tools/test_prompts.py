"""The things to ask: whole, true to the tools, and served in both eras and over both kinds of access."""

import asyncio
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcpbridge.models import CallKind
from mcpbridge.tools import TOOLS
from mcpbridge.tools.prompts import LONGEST_VALUE, PROMPTS, Prompt, prompts_for
from tests.servers import Served

READS = {"who_am_i", "my_week", "open_tasks", "project_status", "unpaid_invoices"}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_speaks_of_tools_that_there_are_and_of_no_destructive_one(prompt: Prompt) -> None:
    kinds = {TOOLS[name].kind for name in prompt.tools}

    assert CallKind.DESTRUCTIVE not in kinds
    named = {name for name in TOOLS if name in prompt.text}
    assert named <= set(prompt.tools)
    assert prompt.ask
    assert prompt.description.endswith(".")


def test_read_only_access_is_offered_what_only_reads() -> None:
    assert {prompt.name for prompt in prompts_for(read_only=True)} == READS
    assert {prompt.name for prompt in prompts_for(read_only=False)} == set(PROMPTS)


def test_what_is_given_stands_below_the_text() -> None:
    prompt = PROMPTS["log_time"]
    text = prompt.filled({"what": "Cover\n  sketches", "duration": "1h30m", "project": " "})

    assert text == f"{prompt.text}\n\nWhat I did: Cover sketches\nDuration: 1h30m"


def test_a_prompt_without_values_is_its_text() -> None:
    assert PROMPTS["my_week"].filled({}) == PROMPTS["my_week"].text


@given(st.dictionaries(st.sampled_from(["what", "duration", "project", "day"]), st.text(max_size=40)))
def test_what_is_given_never_changes_the_text_itself(values: dict[str, str]) -> None:
    prompt = PROMPTS["log_time"]
    text = prompt.filled(values)

    assert text.startswith(prompt.text)
    assert len(text.splitlines()) <= len(prompt.text.splitlines()) + 1 + len(values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"duration": "1h"}, "The argument what is required."),
        ({"what": " ", "duration": "1h"}, "The argument what is required."),
        ({"what": "x", "duration": "1h", "secret": "y"}, "Unknown argument. Available: day, duration"),
        ({"what": "x" * (LONGEST_VALUE + 1), "duration": "1h"}, "longer than 500 characters"),
    ],
)
def test_what_does_not_fit_is_named_without_being_repeated(values: dict[str, str], reason: str) -> None:
    (fault,) = PROMPTS["log_time"].faults(values)

    assert reason in fault
    assert "secret" not in fault


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def asked(url: str, token: str, era: str, *requests: tuple[str, dict[str, str] | None]) -> list[Any]:
    """What the official client is told: the list, then each prompt or the error in its place."""

    async def session() -> list[Any]:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http,
            Client(streamable_http_client(url, http_client=http), mode=era) as client,
        ):
            found: list[Any] = [(await client.list_prompts()).prompts]
            for name, arguments in requests:
                try:
                    found.append(await client.get_prompt(name, arguments))
                except MCPError as error:
                    found.append(error.error)
            return found

    return asyncio.run(session())


def test_no_prompt_has_the_name_of_a_tool() -> None:
    # Some clients offer both in one list, and drop one of two that are named alike.
    assert PROMPTS.keys().isdisjoint(TOOLS)


def test_the_official_client_lists_and_gets_them(console: Served, owner_token: str, era: str) -> None:
    listed, got = asked(console.mcp_url, owner_token, era, ("log_time", {"what": "Sketches", "duration": "90m"}))

    assert [prompt.name for prompt in listed] == list(PROMPTS)
    by_name = {prompt.name: prompt for prompt in listed}
    assert by_name["who_am_i"].title == "Who am I in Hoursmith?"
    assert [(a.name, a.required) for a in by_name["new_client"].arguments] == [
        ("name", True),
        ("email", False),
        ("details", False),
    ]
    assert [message.role for message in got.messages] == ["user"]
    assert got.messages[0].content.text.endswith("What I did: Sketches\nDuration: 90m")


def test_read_only_access_offers_no_prompt_that_writes(console: Served, owner_token: str, era: str) -> None:
    url = f"{console.mcp_url}/readonly"
    listed, refused, got = asked(url, owner_token, era, ("new_client", {"name": "X"}), ("my_week", None))

    assert {prompt.name for prompt in listed} == READS
    assert (refused.code, refused.message) == (-32602, "Unknown prompt. Call prompts/list for the available prompts.")
    assert got.messages[0].content.text == PROMPTS["my_week"].text


def test_a_prompt_that_lacks_something_says_what(console: Served, owner_token: str, era: str) -> None:
    _, refused = asked(console.mcp_url, owner_token, era, ("log_time", {"what": "Sketches"}))

    assert (refused.code, refused.message) == (-32602, "The argument duration is required.")
