"""gunicorn's own parser of requests, which takes the head of an everyday request in one bite.

By itself it looks at every byte of it in Python, which is a seventh of what a read costs. What is not plain in every
respect is left to it, and so are all its checks of what the headers say: only how they are taken apart is another.
"""

import re
from typing import Any

from gunicorn.asgi.parser import PythonProtocol

_PLAIN_HEAD = re.compile(
    rb"(GET|POST) (/[\x21-\x7e]*) HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\x20-\x7e]*+\r\n)+)"
    rb"\r\n"
)
_FIELD = re.compile(rb"([^:]+):([^\r]*)\r\n")


class Parser(PythonProtocol):
    """As its parent in all that it accepts, refuses and tells."""

    __slots__ = ()

    def feed(self, data: bytes) -> None:
        """Take in `data`; what is found is told to the callbacks."""
        if self._state == "request_line" and not self._buffer and (head := _PLAIN_HEAD.match(data)):
            headers = [(name.lower(), value.strip(b" ")) for name, value in _FIELD.findall(head[3])]
            if self._are_within_limits(head.end(), len(headers)):
                self._begin(head, headers)
                self._buffer.extend(data[head.end() :])
                self._finalize_headers()
                data = b""
        super().feed(data)

    def _are_within_limits(self, size: int, fields: int) -> bool:
        # If all of it is as short as one line may be, each of its lines is.
        longest = min(self._limit_request_line, self._limit_request_field_size)
        return bool(size <= longest and fields <= self._limit_request_fields)

    def _begin(self: Any, head: "re.Match[bytes]", headers: list[tuple[bytes, bytes]]) -> None:
        self.method, self.path, self.http_version = head[1], head[2], (1, 1)
        self._empty_line_skipped = True
        self._headers_list = headers
        self._header_count = len(headers)
