"""The quicker parser tells just what gunicorn's own tells, whatever it is fed, and takes plain heads in one bite."""

import itertools
from typing import Any

import pytest
from gunicorn.asgi.parser import PythonProtocol
from hypothesis import given, settings
from hypothesis import strategies as st

from hoursmith_console.server.parser import Parser

LIMITS = {"limit_request_line": 400, "limit_request_fields": 5, "limit_request_field_size": 450}
CALL = (
    b"POST /mcp?x=1 HTTP/1.1\r\nHost: localhost:8000\r\naccept:application/json, text/event-stream\r\n"
    b"Content-Type: application/json  \r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"
)
LINES = [
    b"Host: a",
    b"Host: b",
    b"Content-Length: 4",
    b"Content-Length: 5",
    b"content-length:  12  ",
    b"Content-Length: +4",
    b"Content-Length:",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Connection: close",
    b"Connection: keep-alive",
    b"X-Empty:",
    b"X-Tab:\ta\t",
    b"X-Name : a",
    b" X-Folded: a",
    b"X-(Odd): a",
    b"X: \xc3\xbc",
    b"X: a\x00b",
    b"X: a\rb",
    b"X: a\nY: b",
    b"no colon",
    b"X-Long: " + b"y" * 446,
    b"Expect: 100-continue",
]
FIRST = [
    b"POST /mcp HTTP/1.1",
    b"GET / HTTP/1.1",
    b"GET / HTTP/1.0",
    b"GET http://evil/ HTTP/1.1",
    b"GET * HTTP/1.1",
    b"get / HTTP/1.1",
    b"DELETE /x HTTP/1.1",
    b"GET /a b HTTP/1.1",
    b"GET /\xc3\xbc HTTP/1.1",
    b"GET /" + b"x" * 400 + b" HTTP/1.1",
    b"GET / HTTP/2.0",
    b"GET  / HTTP/1.1",
    b"",
]


def told(kind: type[PythonProtocol], pieces: list[bytes]) -> list[Any]:
    """All that a parser tells of what it is fed, a request after the other as gunicorn does."""
    found: list[Any] = []
    parser: Any = None

    def begun() -> bool:
        headers = list(parser.headers)
        found.append((parser.method, parser.path, parser.http_version, headers, parser.content_length))
        found.append((parser.is_chunked, parser.should_keep_alive))
        return False

    parser = kind(
        on_headers_complete=begun, on_body=found.append, on_message_complete=lambda: found.append("whole"), **LIMITS
    )
    try:
        for piece in pieces:
            parser.feed(piece)
            while parser.is_complete:
                rest = parser.remaining()
                parser.reset()
                if not rest:
                    break
                parser.feed(rest)
        found.append((bytes(parser._buffer), parser._state))
    except Exception as error:
        found.append((type(error), str(error)))
    return _joined(found)


def _joined(found: list[Any]) -> list[Any]:
    """A body is one, in however many pieces it came."""
    joined: list[Any] = []
    for each in found:
        if isinstance(each, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


requests = st.builds(
    lambda first, lines, body: b"\r\n".join([first, *lines, b"", b""]) + body,
    st.sampled_from(FIRST),
    st.lists(st.sampled_from(LINES), max_size=7),
    st.sampled_from([b"", b"body", b"4\r\nbody\r\n0\r\n\r\n", b"bodyand more"]),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(requests, min_size=1, max_size=3), st.lists(st.integers(0, 1000), max_size=3))
def test_it_tells_what_its_parent_tells(several: list[bytes], places: list[int]) -> None:
    pieces = cut(b"".join(several), places)
    assert told(Parser, pieces) == told(PythonProtocol, pieces)


@settings(max_examples=600, deadline=None)
@given(st.integers(0, len(CALL)), st.integers(0, 3), st.binary(max_size=4), st.lists(st.integers(0, 300), max_size=2))
def test_so_it_does_a_few_bytes_away_from_a_plain_request(at: int, gone: int, put: bytes, places: list[int]) -> None:
    pieces = cut(CALL[:at] + put + CALL[at + gone :] + CALL, places)
    assert told(Parser, pieces) == told(PythonProtocol, pieces)


def test_a_plain_head_is_taken_in_one_bite(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = told(PythonProtocol, [CALL, CALL])
    assert expected.count("whole") == 2
    monkeypatch.setattr(PythonProtocol, "_parse_headers", None)
    assert told(Parser, [CALL, CALL]) == expected
