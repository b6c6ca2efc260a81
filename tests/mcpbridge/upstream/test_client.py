import asyncio
import contextlib

import httpx
import pytest

from mcpbridge import __version__, upstream
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.calls import errors
from mcpbridge.models import Result
from mcpbridge.tools import TOOLS, RestRequest
from mcpbridge.upstream import (
    MAX_RESPONSE_BYTES,
    ApiResponse,
    Upstream,
    UpstreamDroppedError,
    UpstreamError,
    UpstreamMalformedError,
    UpstreamRedirectError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)
from tests.mcpbridge.tools.examples import EXAMPLES
from tests.token_shapes import assembled_token

CREDENTIAL = credential_from_text(assembled_token(secret="Kk4"))
GET = RestRequest("GET", "/clients")
POST = RestRequest("POST", "/clients")


def send(handler, call=GET, timeout_s=5.0):
    service = Upstream("https://hoursmith.example/api/v1/", timeout_s=timeout_s, transport=httpx.MockTransport(handler))
    return asyncio.run(service.send(call, CREDENTIAL))


def test_only_the_headers_we_name_and_the_callers_own_token_go_out():
    seen = []

    def handler(request):
        seen.append(request)
        return httpx.Response(200, json={"data": []})

    send(handler, RestRequest("GET", "/clients", query=[("search", "a&b"), ("limit", "5")]))
    (request,) = seen
    assert str(request.url) == "https://hoursmith.example/api/v1/clients?search=a%26b&limit=5"
    assert dict(request.headers) == {
        "host": "hoursmith.example",
        "authorization": f"Bearer {CREDENTIAL.token}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"hoursmith-console/{__version__}",
    }


def test_a_post_carries_its_body_and_its_idempotency_key():
    seen = []

    def handler(request):
        seen.append(request)
        return httpx.Response(201, json={"data": {"id": "1"}})

    reply = send(handler, RestRequest("POST", "/clients", body={"name": "Ü"}, idempotency_key="k1"))
    assert reply.status == 201
    assert seen[0].headers["idempotency-key"] == "k1"
    assert seen[0].content == '{"name":"Ü"}'.encode()


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_success_is_a_success_without_data(status):
    deletion = RestRequest("DELETE", "/clients/1")
    assert send(lambda request: httpx.Response(status), deletion) == ApiResponse(status, {"data": None})


def test_a_success_without_the_envelope_is_given_one():
    assert send(lambda request: httpx.Response(200, json={"id": "1"})).payload == {"data": {"id": "1"}}


@pytest.mark.parametrize("content", [b"", b"<html>login</html>", b"[1]", b"null", b'{"data":', b"\xff\xfe"])
def test_a_success_that_is_no_json_object_cannot_be_used(content):
    with pytest.raises(UpstreamMalformedError):
        send(lambda request: httpx.Response(200, content=content))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_its_target_never_asked(status):
    asked = []

    def handler(request):
        asked.append(request.url.host)
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    with pytest.raises(UpstreamRedirectError):
        send(handler)
    assert asked == ["hoursmith.example"]


def test_reading_stops_at_the_limit():
    async def endless():
        while True:
            yield b"x" * 65536

    with pytest.raises(UpstreamTooLargeError):
        send(lambda request: httpx.Response(200, content=endless()))


def test_an_answer_that_drips_ends_at_the_time_limit():
    async def dripping():
        while True:
            await asyncio.sleep(0.02)
            yield b" "

    with pytest.raises(UpstreamTimeoutError):
        send(lambda request: httpx.Response(200, content=dripping()), timeout_s=0.2)


@pytest.mark.parametrize(
    "kind",
    [error for error in vars(httpx).values() if isinstance(error, type) and issubclass(error, httpx.TransportError)],
)
def test_every_error_of_the_http_library_has_a_name_of_ours(kind):
    def handler(request):
        raise kind(f"failed for {CREDENTIAL.token}")

    with pytest.raises(UpstreamError) as caught:
        send(handler)
    assert caught.value.__cause__ is None
    assert CREDENTIAL.secret not in str(caught.value)


def test_no_error_that_nobody_foresaw_comes_out_as_it_is(caplog):
    class Broken:
        async def exchange(self, *_):
            raise RuntimeError(f"failed for {CREDENTIAL.token}")

    service = Upstream("https://hoursmith.example", timeout_s=5)
    service._transport = Broken()
    with pytest.raises(UpstreamDroppedError) as caught:
        asyncio.run(service.send(GET, CREDENTIAL))
    assert caught.value.__cause__ is None
    assert "RuntimeError" in caplog.text
    assert CREDENTIAL.secret not in str(caught.value) + caplog.text


def test_a_refused_connection_sent_nothing():
    async def ask():
        service = Upstream("http://127.0.0.1:1", timeout_s=5)
        try:
            await service.send(GET, CREDENTIAL)
        finally:
            await service.aclose()

    with pytest.raises(UpstreamUnreachableError) as caught:
        asyncio.run(ask())
    assert not caught.value.may_be_done


async def head_of(reader):
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def served(answers, calls):
    """Ask a real socket server that answers its n-th request with `answers[n]`; what arrived, and what came of it."""

    async def story():
        arrived, lines = [], []

        async def serve(reader, writer):
            lines.append(writer)
            while head := await head_of(reader):
                arrived.append(head.split(b" ", 1)[0].decode())
                answer = answers[len(arrived) - 1]
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        service = Upstream(f"http://127.0.0.1:{port}", timeout_s=2)
        outcomes = []
        for call in calls:
            try:
                outcomes.append((await service.send(call, CREDENTIAL)).status)
            except UpstreamError as error:
                outcomes.append(type(error))
        await service.aclose()
        server.close()
        for line in lines:
            line.close()
            with contextlib.suppress(OSError):
                await line.wait_closed()
        return arrived, outcomes

    return asyncio.run(story())


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data": 1}'


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PATCH"])
def test_nothing_is_sent_twice_when_a_kept_connection_drops(method):
    arrived, outcomes = served([OK, None, OK], [GET, RestRequest(method, "/x")])
    assert arrived == ["GET", method]
    assert outcomes == [200, UpstreamDroppedError]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_a_line_that_breaks_inside_the_answer_is_a_drop(answer):
    _, outcomes = served([answer, None], [GET])
    assert outcomes in ([UpstreamDroppedError], [UpstreamTimeoutError])


@pytest.mark.parametrize(
    "answer", [b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"]
)
def test_an_answer_that_is_no_http_cannot_be_used(answer):
    _, outcomes = served([answer], [GET])
    assert outcomes == [UpstreamMalformedError]


def test_every_error_status_of_the_contract_gets_its_code_and_words_for_a_person():
    codes = [400, 401, 402, 403, 404, 409, 422, 429]
    for status in codes:
        found = errors.from_response(ApiResponse(status, {}), GET)
        assert found.code == errors.CODES[status]
        assert found.result is Result.REFUSED
        assert found.hint
        assert found.payload()["error"]["hint"]


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("create_client", "idempotencyKey"),
        ("create_time_entry", "idempotencyKey"),
        ("archive_project", "idempotencyKey"),
        ("delete_client", "active projects"),
        ("delete_time_entry", "on an invoice"),
        ("update_time_entry", "on an invoice"),
        ("delete_expense", "on an invoice"),
        ("update_project", "state"),
    ],
)
def test_a_conflict_is_explained_by_the_call_that_met_it(tool, words):
    arguments = EXAMPLES[tool][0]
    hint = errors.from_response(ApiResponse(409, {}), TOOLS[tool].request(arguments)).hint
    assert words in hint
    assert "archived" not in hint


def test_documented_details_are_passed_on():
    error = {"code": "forbidden_plan", "message": "No API.", "requiredPlan": "studio", "feature": "apiAccess"}
    payload = errors.from_response(ApiResponse(402, {"error": error}), GET).payload()["error"]
    assert payload["requiredPlan"] == "studio"
    assert payload["message"] == "No API."
    assert "Studio or Agency" in payload["hint"]
    limited = errors.from_response(ApiResponse(429, {"error": {"code": "rate_limited"}}, 7), GET).payload()["error"]
    assert limited["retryAfter"] == 7
    assert "7 seconds" in limited["hint"]


@pytest.mark.parametrize("status", [418, 500, 502, 503])
def test_unexpected_answers_are_not_quoted(status):
    error = {"code": "weird", "message": f"Traceback with {CREDENTIAL.token}", "fields": {"a": "b"}}
    shown = repr(errors.from_response(ApiResponse(status, {"error": error}), POST).payload())
    assert "Traceback" not in shown
    assert CREDENTIAL.secret not in shown


def test_every_upstream_error_has_words():
    def below(kind):
        return [kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))]

    for kind in below(upstream.UpstreamError):
        if kind is upstream.UpstreamResponseError:
            continue
        assert errors.from_upstream_error(kind(), is_read=False).hint


def test_the_limit_is_large_enough_for_a_page_of_the_contract():
    assert MAX_RESPONSE_BYTES >= 200 * 20_000
