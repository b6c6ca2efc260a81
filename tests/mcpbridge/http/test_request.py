"""Reading a request: repeated headers, and bodies that are not JSON, each with its own message."""

import pytest

from mcpbridge.http.request import HttpError, check_media_types, header_dict, is_read_only, parse_body


def headers(*lines: tuple[str, str]) -> dict[str, str]:
    return header_dict([(name.encode(), value.encode()) for name, value in lines])


def test_the_lines_of_a_list_are_one_list():
    both = headers(
        ("accept", "text/event-stream"), ("accept", "application/json"), ("content-type", "application/json")
    )
    assert both["accept"] == "text/event-stream, application/json"
    check_media_types(both)


@pytest.mark.parametrize(
    "name", ["content-type", "content-length", "content-encoding", "origin", "user-agent", "traceparent"]
)
def test_a_header_with_one_value_says_one_thing(name):
    assert headers((name, "a"), (name, "a"))[name] == "a"
    with pytest.raises(HttpError) as refusal:
        headers((name, "a"), (name, "b"))
    assert name in str(refusal.value)
    assert refusal.value.status == 400


@pytest.mark.parametrize("name", ["host", "mcp-method", "mcp-protocol-version", "mcp-session-id", "mcp-param-id"])
def test_a_header_that_routes_stands_once(name):
    with pytest.raises(HttpError):
        headers((name, "a"), (name, "a"))


@pytest.mark.parametrize(
    ("lines", "narrows"),
    [
        ([], False),
        (["false"], False),
        (["0"], False),
        ([" FALSE "], False),
        (["false", "0"], False),
        (["true"], True),
        (["1"], True),
        (["yes"], True),
        (["on"], True),
        ([""], True),
        (["no"], True),
        (["true", "false"], True),
        (["false", "true"], True),
        (["false,true"], True),
        (["false", ""], True),
        (["tru\u00e9"], True),
    ],
)
def test_whatever_is_not_plainly_false_narrows(lines, narrows):
    assert is_read_only(headers(*[("x-mcp-readonly", line) for line in lines])) is narrows


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"id": 1}'.encode("utf-16"), "byte order mark"),
        (b'{"name": "M\xfcller"}', "not UTF-8: byte 11"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "\x00"}', "control character"),
        (b'\x00{"a": 1}', "character 0"),
        (b'{"a": NaN}', "NaN and Infinity"),
        (b'{"a": Infinity}', "NaN and Infinity"),
        (b'{"a": -Infinity}', "NaN and Infinity"),
        (b'{"a": 1', "unexpected end"),
        (b"{'a': 1}", "string key"),
        (b'{"a": 1,}', "trailing comma"),
        (b"{} {}", "after document"),
    ],
)
def test_a_body_that_is_not_json_is_told_why_and_where(body, words):
    with pytest.raises(HttpError) as refusal:
        parse_body(body)
    assert words in str(refusal.value)
    assert refusal.value.status == 400


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "x-unknown"])
def test_a_compressed_body_is_told_by_its_header(coding):
    with pytest.raises(HttpError) as refusal:
        check_media_types({"content-type": "application/json", "content-encoding": coding})
    assert refusal.value.status == 415
    assert "Content-Encoding" in str(refusal.value)
    assert (b"accept-encoding", b"identity") in refusal.value.headers
    check_media_types({"content-type": "application/json", "content-encoding": "identity"})
