"""What becomes of connections: those of a worker that ends, idle ones, and those that ask for too much."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from hoursmith_console.server import connections
from hoursmith_console.server.connections import Connection, Connections

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
FEWEST = 16
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answering(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def with_a_client(
    runner: asyncio.Runner, story: Callable[[Client, Connection], Awaitable[None]], *, kept_s: int = 60
) -> None:
    """Run `story` with a client that has connected, and with the server's side of its connection."""

    async def run() -> None:
        made: asyncio.Queue[Connection] = asyncio.Queue()
        config = Config(answering, lifespan="off", log_config=None, timeout_keep_alive=kept_s)
        config.load()
        held = Connections(FEWEST)

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

    with_a_client(runner, story)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_REQUEST_AT_END_S", "NEXT_REQUEST_AT_END_S"):
        monkeypatch.setattr(connections, name, 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_does_not_ask_is_not_waited_for(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        connection.shutdown()
        assert await asyncio.wait_for(client[0].read(), 10) == b""

    with_a_client(runner, story)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_does_not_ask_again_is_not_waited_for(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        reader, writer = client
        writer.write(REQUEST)
        assert await asyncio.wait_for(reader.readuntil(b"ok"), 10)
        connection.shutdown()
        assert await asyncio.wait_for(reader.read(), 10) == b""

    with_a_client(runner, story)


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

    with_a_client(runner, story)


async def is_answered(client: Client) -> bool:
    client[1].write(REQUEST)
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        return bool(await asyncio.wait_for(client[0].readuntil(b"\r\n\r\nok"), 10))
    return False


def test_the_connection_that_has_been_idle_longest_makes_room_and_not_the_one_that_connected_first(
    runner: asyncio.Runner,
) -> None:
    async def story(first: Client, _: Connection) -> None:
        address = first[1].get_extra_info("peername")
        others: list[Client] = []
        for _ in range(FEWEST - 1):
            others.append(await asyncio.open_connection(*address))
            assert await is_answered(others[-1])
        assert await is_answered(first)
        others.append(await asyncio.open_connection(*address))
        assert await is_answered(others[-1])
        assert await asyncio.wait_for(others[0][0].read(), 10) == b""
        assert await is_answered(first)
        for _, writer in others:
            writer.close()

    with_a_client(runner, story)


def test_clients_that_keep_back_their_bodies_keep_no_other_out(runner: asyncio.Runner) -> None:
    upload = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"

    async def story(first: Client, _: Connection) -> None:
        address = first[1].get_extra_info("peername")
        slow = [first, *[await asyncio.open_connection(*address) for _ in range(FEWEST - 1)]]
        for reader, writer in slow:
            writer.write(upload)
            assert b" 100 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        late = await asyncio.open_connection(*address)
        assert await is_answered(late)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(first[0].read(), 10) == b""
        slow[1][1].write(b"12345")
        assert await asyncio.wait_for(slow[1][0].readuntil(b"ok"), 10)
        for _, writer in (late, *slow):
            writer.close()

    with_a_client(runner, story)


def test_an_empty_line_is_no_request_that_a_kept_connection_waits_for(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        assert await is_answered(client)
        client[1].write(b"\r\n")
        assert await asyncio.wait_for(client[0].read(), 10) == b""

    with_a_client(runner, story, kept_s=1)


def test_a_client_that_asks_without_end_before_it_is_answered_is_cut_off(runner: asyncio.Runner) -> None:
    async def story(client: Client, connection: Connection) -> None:
        reader, writer = client
        writer.write(REQUEST * (1 + connections.MOST_WAITING))
        for _ in range(1 + connections.MOST_WAITING):
            assert await asyncio.wait_for(reader.readuntil(b"ok"), 10)
        writer.write(REQUEST * 2_000)
        with contextlib.suppress(ConnectionError):
            assert (await asyncio.wait_for(reader.read(), 10)).count(b"ok") < 2_000
        assert connection.transport.is_closing()

    with_a_client(runner, story)


@pytest.mark.parametrize("where", [b"", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"], ids=["head", "trailer"])
def test_a_header_without_an_end_is_refused_while_it_is_sent(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, where: bytes
) -> None:
    # By its size alone.
    monkeypatch.setattr(connections, "HEAD_S", 1_000.0)

    async def story(client: Client, connection: Connection) -> None:
        reader, writer = client
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + where + b"X-Long: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"x" * 100_000)
                await asyncio.wait_for(writer.drain(), 10)
            await asyncio.wait_for(reader.read(), 10)
        assert connection.transport.is_closing()

    with_a_client(runner, story)
