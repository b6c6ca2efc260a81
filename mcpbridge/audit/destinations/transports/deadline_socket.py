"""A socket to a receiver with one deadline for all operations, however the receiver behaves."""

import errno
import fcntl
import os
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.targets import Target, checked_addresses

_Done = TypeVar("_Done")


class DeadlineSocket:
    """A connected socket with one deadline. Every failure is an UndeliveredError."""

    def __init__(self, target: Target, *, limit_s: float) -> None:
        """Resolve and check the host, then connect within `limit_s` seconds. Raises RefusedTargetError too."""
        addresses = checked_addresses(target)
        self._deadline = time.monotonic() + limit_s
        self._limit_s = limit_s
        self._socket: socket.socket = self._connected(addresses, target.port)
        if target.is_tls:
            self._bounded(lambda: self._encrypt(target.host))

    def __enter__(self) -> "DeadlineSocket":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self._bounded(lambda: self._socket.sendall(data))

    def receive(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end of the stream."""
        return self._bounded(lambda: self._socket.recv(size))

    def finish(self) -> None:
        """Close the sending side and return once the receiver has read everything and closed its side.

        A receiver that closes with unread bytes resets the connection; one that closed before our end did not read
        it all. TCP acknowledgements prove only that the receiver's kernel has the bytes. A receiver that shuts down
        cleanly without reading is not detected.
        """
        if self._has_ended():
            raise UndeliveredError("The receiver closed the connection before it had read everything.")
        encrypted = self._socket
        if isinstance(encrypted, ssl.SSLSocket):
            self._bounded(lambda: self._unwrap(encrypted))
        else:
            self._bounded(lambda: self._socket.shutdown(socket.SHUT_WR))
        while self.receive(4096):
            continue
        self._bounded(self._check_received)

    def _has_ended(self) -> bool:
        """Return whether the other side has closed, without waiting."""
        # An SSLSocket does not support MSG_PEEK.
        with socket.socket(fileno=os.dup(self._socket.fileno())) as raw:
            try:
                return raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError as error:
                raise UndeliveredError(_describe(error, limit_s=self._limit_s)) from None

    def _unwrap(self, encrypted: ssl.SSLSocket) -> None:
        """Send close_notify and wait for that of the receiver (RFC 5425 4.4)."""
        try:
            self._socket = encrypted.unwrap()
        except ssl.SSLError as error:
            # Many servers close without close_notify; `_check_received` covers unread bytes.
            if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
                raise

    def _check_received(self) -> None:
        unread = struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        fault = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault or unread:
            raise ConnectionResetError(fault, "unread bytes")

    def _connected(self, addresses: list[str], port: int) -> socket.socket:
        fault: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((address, port), timeout=self._remaining_s())
            except OSError as error:
                fault = error
        raise UndeliveredError(_describe(fault or OSError(), connecting=True, limit_s=self._limit_s)) from None

    def _encrypt(self, host: str) -> None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def _remaining_s(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise UndeliveredError(_TIMED_OUT.format(limit_s=self._limit_s))
        return left

    def _bounded(self, work: Callable[[], _Done]) -> _Done:
        self._socket.settimeout(self._remaining_s())
        try:
            return work()
        except OSError as error:
            raise UndeliveredError(_describe(error, limit_s=self._limit_s)) from None


_TIMED_OUT = "The receiver did not answer within {limit_s:.0f} seconds."


def _describe(error: OSError, *, limit_s: float, connecting: bool = False) -> str:
    """Return a sentence for users about `error`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of the receiver was rejected: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return f"The TLS handshake failed: {error.reason or 'the receiver does not speak TLS'}."
    if isinstance(error, TimeoutError):
        return _TIMED_OUT.format(limit_s=limit_s)
    if isinstance(error, ConnectionRefusedError):
        return "The receiver refused the connection: nothing listens on this port."
    # After a reset between two calls the next one fails with ENOTCONN.
    if not connecting and (isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN):
        return "The receiver closed the connection unexpectedly."
    return f"The receiver cannot be reached: {error.strerror or type(error).__name__}."
