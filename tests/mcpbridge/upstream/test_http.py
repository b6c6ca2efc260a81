"""Connections that are kept: each answer is its asker's own, and nothing is sent twice."""

import asyncio
import random
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpbridge import __version__
from mcpbridge.upstream import (
    MAX_RESPONSE_BYTES,
    UpstreamDroppedError,
    UpstreamError,
    UpstreamMalformedError,
    UpstreamRedirectError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
    transport,
)
from mcpbridge.upstream import http as network
from mcpbridge.upstream.http import HttpTransport
from mcpbridge.upstream.response import RawResponse
from tests.certificates import self_signed
from tests.generated import examples
from tests.mcpbridge.upstream.server import CHUNKED, HELLO, Serve, always, asking, get, serving


def answered(serve: Serve) -> tuple[RawResponse | type[UpstreamError], RawResponse | type[UpstreamError], int]:
    """What came of two requests, one after the other, and over how many connections."""

    async def story() -> tuple[RawResponse | type[UpstreamError], RawResponse | type[UpstreamError], int]:
        async with serving(serve) as server, asking(server) as line:
            outcomes: list[RawResponse | type[UpstreamError]] = []
            for _ in range(2):
                try:
                    outcomes.append(await get(line))
                except UpstreamError as error:
                    outcomes.append(type(error))
                await asyncio.sleep(0.05)
            return outcomes[0], outcomes[1], len(server.lines)

    return asyncio.run(story())


def test_a_request_is_what_was_asked_for_and_nothing_else() -> None:
    async def story() -> None:
        async with serving(always(HELLO)) as server, asking(server) as line:
            await line.exchange("POST", "/api/v1/clients?a=%20b", {"Authorization": "Bearer x"}, b'{"a":1}')
            await line.exchange("PATCH", "/x", {}, None)
            await line.exchange("DELETE", "/x", {}, None)
            same = [
                f"Host: 127.0.0.1:{server.port}",
                "Accept: application/json",
                "Accept-Encoding: identity",
                f"User-Agent: hoursmith-console/{__version__}",
            ]
            assert server.requests == [
                ["POST /api/v1/clients?a=%20b HTTP/1.1", *same, "Authorization: Bearer x", "Content-Length: 7"],
                ["PATCH /x HTTP/1.1", *same, "Content-Length: 0"],
                ["DELETE /x HTTP/1.1", *same],
            ]
            assert server.bodies == [b'{"a":1}', b"", b""]
            assert len(server.lines) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "pieces",
    [
        (HELLO,),
        tuple(bytes([byte]) for byte in HELLO),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + HELLO),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nl", b"lo\r\n0\r\nA: b\r\n\r\n"),
    ],
)
def test_an_answer_is_read_however_it_comes_and_its_connection_is_used_again(pieces: tuple[bytes, ...]) -> None:
    assert answered(always(*pieces)) == (RawResponse(200, None, b"hello"), RawResponse(200, None, b"hello"), 1)


@pytest.mark.parametrize(
    ("pieces", "closes"),
    [
        ((b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",), False),
        ((b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",), False),
        ((b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo"), True),
        ((HELLO,), True),
        ((HELLO + HELLO,), False),
        ((HELLO + b"HTTP/1.1 2",), False),
        ((HELLO + b"garbage",), False),
        ((HELLO, HELLO), False),
    ],
)
def test_a_connection_that_ends_or_says_too_much_is_not_used_again(pieces: tuple[bytes, ...], closes: bool) -> None:
    assert answered(always(*pieces, then_close=closes)) == (
        RawResponse(200, None, b"hello"),
        RawResponse(200, None, b"hello"),
        2,
    )


@pytest.mark.parametrize(
    ("answer", "closes", "fault"),
    [
        (b"", True, UpstreamDroppedError),
        (b"HTTP/1.1 200 OK\r\nContent-Le", True, UpstreamDroppedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", True, UpstreamDroppedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", True, UpstreamDroppedError),
        (b"HTTP/1.1 100 Continue\r\n\r\n", True, UpstreamDroppedError),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, UpstreamMalformedError),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", False, UpstreamMalformedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", True, UpstreamMalformedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", False, UpstreamMalformedError),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            False,
            UpstreamMalformedError,
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, False, UpstreamMalformedError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n", False, UpstreamMalformedError),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, False, UpstreamMalformedError),
        (b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n", False, UpstreamRedirectError),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_RESPONSE_BYTES + 1), False, UpstreamTooLargeError),
        (CHUNKED + b"0\r\nX: " + b"y" * 3 * MAX_RESPONSE_BYTES, False, UpstreamTooLargeError),
        (CHUNKED + b"1;" + b"y" * 3 * MAX_RESPONSE_BYTES, False, UpstreamTooLargeError),
    ],
)
def test_what_cannot_be_used_has_a_name_and_ends_its_connection(
    answer: bytes, closes: bool, fault: type[UpstreamError]
) -> None:
    assert answered(always(answer, then_close=closes)) == (fault, fault, 2)


def test_a_packed_body_is_left_unread() -> None:
    packed = b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nRetry-After: 3\r\nContent-Length: 5\r\n\r\n\x1f\x8bxyz"
    assert answered(always(packed)) == (RawResponse(500, "3", None), RawResponse(500, "3", None), 2)


@pytest.mark.parametrize("is_noticed", [True, False])
@pytest.mark.parametrize("arrives", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", b""])
def test_an_idle_connection_with_anything_to_read_is_not_used_again(arrives: bytes, is_noticed: bool) -> None:
    async def story() -> None:
        async with serving(always(HELLO)) as server, asking(server) as line:
            await get(line)
            # Either is in the client's socket at once, before its event loop can read it.
            if arrives:
                server.lines[0].write(arrives)
            else:
                server.lines[0].write_eof()
            if is_noticed:
                await asyncio.sleep(0.1)
            assert (await line.exchange("DELETE", "/x", {}, None)).body == b"hello"
            assert len(server.lines) == 2
            assert [head[0][:3] for head in server.requests] == ["GET", "DEL"]

    asyncio.run(story())


def test_a_connection_that_was_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serving(always(HELLO)) as server, asking(server) as line:
            await get(line)
            monkeypatch.setattr(network, "KEPT_FOR_S", -1.0)
            await get(line)
            assert len(server.lines) == 2

    asyncio.run(story())


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("/x HTTP/1.1\r\nHost: evil\r\n\r\n", "a"),
        ("/x y", "a"),
        ("x", "a"),
        ("/ü", "a"),
        ("/x", "a\r\nX: y"),
        ("/x", "a\n"),
        ("/x", "ü"),
        ("/x", "\0"),
    ],
)
def test_nothing_is_sent_that_could_be_read_as_something_else(target: str, value: str) -> None:
    async def story() -> None:
        async with serving(always(HELLO)) as server, asking(server) as line:
            with pytest.raises(UpstreamUnreachableError):
                await line.exchange("GET", target, {"Authorization": value}, None)
            await asyncio.sleep(0.05)
            assert server.requests == []

    asyncio.run(story())


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_who_gives_up_waiting_takes_the_connection_along(is_cancelled: bool) -> None:
    async def late(head: list[str], writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(0.6 if head[0].startswith("GET /late") else 0)
        writer.write(HELLO.replace(b"hello", b"late!") if head[0].startswith("GET /late") else HELLO)

    async def story() -> None:
        async with serving(late) as server, asking(server, timeout_s=0.4) as line:
            with pytest.raises(TimeoutError if is_cancelled else UpstreamTimeoutError):
                async with asyncio.timeout(0.1 if is_cancelled else None):
                    await get(line, "/late")
            for _ in range(8):
                assert (await get(line)).body == b"hello"
                await asyncio.sleep(0.1)
            assert len(server.lines) == 2

    asyncio.run(story())


def test_the_time_limit_is_one_of_the_whole_answer() -> None:
    async def story() -> None:
        dripping = always(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", *[b"x"] * 400)
        async with serving(dripping) as server, asking(server, timeout_s=0.3) as line:
            with pytest.raises(UpstreamTimeoutError):
                await get(line)

    asyncio.run(story())


def test_there_are_only_so_many_connections_and_who_finds_none_free_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "MAX_CONNECTIONS", 3)
    # The one that finds none free gives up long before those that are waiting for an answer.
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.5)
    gate = asyncio.Event()

    async def wait(head: list[str], writer: asyncio.StreamWriter, number: int) -> None:
        await gate.wait()
        writer.write(HELLO)

    async def story() -> None:
        async with serving(wait) as server, asking(server) as line:
            first = [asyncio.create_task(get(line)) for _ in range(3)]
            await asyncio.sleep(0.05)
            with pytest.raises(UpstreamUnreachableError):
                await get(line)
            gate.set()
            waiting = [asyncio.create_task(get(line)) for _ in range(20)]
            assert {bytes(answer.body or b"") for answer in await asyncio.gather(*first, *waiting)} == {b"hello"}
            assert len(server.lines) == 3

    asyncio.run(story())


def test_a_request_that_is_cancelled_while_it_waits_for_a_connection_is_never_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "MAX_CONNECTIONS", 1)
    gate = asyncio.Event()

    async def wait(head: list[str], writer: asyncio.StreamWriter, number: int) -> None:
        await gate.wait()
        writer.write(HELLO)

    async def story() -> None:
        async with serving(wait) as server, asking(server) as line:
            first = asyncio.create_task(get(line))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(line.exchange("DELETE", "/x", {}, None))
            await asyncio.sleep(0.05)
            waiting.cancel()
            gate.set()
            assert (await first).body == b"hello"
            with pytest.raises(asyncio.CancelledError):
                await waiting
            # It would have been sent before this one.
            await get(line)
            assert [head[0][:3] for head in server.requests] == ["GET", "GET"]

    asyncio.run(story())


def test_a_host_that_is_none_or_that_nobody_serves_was_sent_nothing() -> None:
    async def story() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            for host in (f"127.0.0.1:{unused.getsockname()[1]}", "no-such-host.invalid", "a" * 300, ".."):
                line = HttpTransport(f"http://{host}", timeout_s=2)
                with pytest.raises(UpstreamUnreachableError):
                    await get(line)

    asyncio.run(story())


def test_another_address_of_the_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serving(always(HELLO)) as server:
            loop = asyncio.get_running_loop()
            dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0))
            alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))

            async def both(*_: object, **__: object) -> list[object]:
                return [dead, alive]

            monkeypatch.setattr(loop, "getaddrinfo", both)
            line = HttpTransport(f"http://hoursmith.example:{server.port}", timeout_s=2)
            assert (await get(line)).status == 200
            await line.aclose()

    asyncio.run(story())


def test_a_certificate_must_be_trusted_and_be_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def story() -> None:
        async with serving(always(HELLO), ssl=context) as server:
            async with asking(server, "https") as stranger:
                with pytest.raises(UpstreamUnreachableError):
                    await get(stranger)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            async with asking(server, "https") as line:
                assert [(await get(line)).body for _ in range(3)] == [b"hello"] * 3
            other = HttpTransport(f"https://localhost:{server.port}", timeout_s=5)
            with pytest.raises(UpstreamUnreachableError):
                await get(other)
            assert len(server.requests) == 3

    asyncio.run(story())


def test_each_gets_their_own_answer_or_an_error_whatever_the_other_side_does() -> None:
    chance = random.Random(7)

    async def anyhow(head: list[str], writer: asyncio.StreamWriter, number: int) -> None:
        mark = head[0].split("/")[1].split(" ")[0].encode()
        body = mark * chance.randint(1, 400)
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        match chance.randint(0, 9):
            case 0:
                writer.close()
            case 1:
                writer.write(whole[: chance.randint(1, len(whole) - 1)])
                writer.close()
            case 2:
                writer.write(whole + whole[: chance.randint(1, len(whole))])
            case 3:
                writer.write(b"garbage" + whole)
            case 4:
                # Later than the asker waits.
                await asyncio.sleep(0.08)
                writer.write(whole)
            case _:
                middle = chance.randint(1, len(whole) - 1)
                writer.write(whole[:middle])
                await asyncio.sleep(0.001)
                writer.write(whole[middle:])

    async def story() -> None:
        async with serving(anyhow) as server, asking(server) as line:
            outcomes = {"own": 0, "fault": 0}

            async def caller(name: str) -> None:
                for number in range(40):
                    mark = f"{name}-{number}."
                    try:
                        async with asyncio.timeout(0.05):
                            answer = await get(line, f"/{mark}")
                    except (UpstreamError, TimeoutError):
                        outcomes["fault"] += 1
                    else:
                        body = bytes(answer.body or b"").decode()
                        assert body.replace(mark, "") == "", (mark, body)
                        outcomes["own"] += 1

            await asyncio.gather(*(caller(f"c{number}") for number in range(16)))
            asked = [head[0] for head in server.requests]
            assert len(asked) == len(set(asked)), "Something was sent twice."
            assert min(outcomes.values()) > 50, outcomes

    asyncio.run(story())


@settings(max_examples=examples(60), deadline=None)
@given(
    answer=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=60).map(lambda body: b"HTTP/1.1 200 OK\r\n" + body),
        st.binary(max_size=60).map(lambda body: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body),
    )
)
def test_whatever_comes_there_is_an_answer_or_a_fault_with_a_name(answer: bytes) -> None:
    async def story() -> None:
        async with serving(always(answer, then_close=True)) as server, asking(server) as line:
            with suppress(UpstreamError):
                assert 200 <= (await get(line)).status < 1000

    asyncio.run(story())
