"""What becomes of the connections of a worker that ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from hoursmith_console.server import connections
from hoursmith_console.server.connections import Connection, Connections

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answering(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def while_it_ends(runner: asyncio.Runner, story: Callable[[Client, Connection], Awaitable[None]]) -> None:
    """Run `story` with a client that has connected, and with the server's side of its connection."""

    async def run() -> None:
        made: asyncio.Queue[Connection] = asyncio.Queue()
        config = Config(answering, lifespan="off", log_config=None)
        config.load()
        held = Connections(100)

        def protocol() -> Connection:
            connection = held(config=config, server_state=ServerState(), app_state={})
            made.put_nowait(connection)
            return connection

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        async with server:
            client = await asyncio.open_connection(*server.sockets[0].getsockname())
            await story(client, await made.get())
            client[1].close()

    runner.run(run())


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


def test_a_client_that_has_just_connected_is_answered_and_told_that_it_was_the_last_time(
    runner: asyncio.Runner,
) -> None:
    async def story(client: Client, connection: Connection) -> None:
        reader, writer = client
        connection.shutdown()
        connection.shutdown()
        writer.write(REQUEST)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()

    while_it_ends(runner, story)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_REQUEST_AT_END_S", "NEXT_REQUEST_AT_END_S"):
        monkeypatch.setattr(connections, name, 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_does_not_ask_is_not_waited_for(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        connection.shutdown()
        assert await asyncio.wait_for(client[0].read(), 10) == b""

    while_it_ends(runner, story)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_does_not_ask_again_is_not_waited_for(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        reader, writer = client
        writer.write(REQUEST)
        assert await asyncio.wait_for(reader.readuntil(b"ok"), 10)
        connection.shutdown()
        assert await asyncio.wait_for(reader.read(), 10) == b""

    while_it_ends(runner, story)


def test_a_request_on_its_way_on_a_kept_connection_is_answered_and_the_last(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        reader, writer = client
        writer.write(REQUEST)
        assert await asyncio.wait_for(reader.readuntil(b"ok"), 10)
        # Sent, and not read yet.
        writer.write(REQUEST)
        connection.shutdown()
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()

    while_it_ends(runner, story)
