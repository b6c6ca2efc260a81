"""A connection to a receiver that never takes longer than it was given, however the receiver behaves."""

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
from mcpbridge.audit.destinations.targets import Destination, checked_addresses

_Done = TypeVar("_Done")


class Connection:
    """A connected socket with one deadline for everything on it. What goes wrong is an UndeliveredError."""

    def __init__(self, destination: Destination, *, limit_s: float) -> None:
        """Connect to an address of the host that was checked, first of all. Raises RefusedDestinationError too."""
        addresses = checked_addresses(destination)
        self._give_up_at = time.monotonic() + limit_s
        self._limit_s = limit_s
        self._socket: socket.socket = self._connected(addresses, destination.port)
        if destination.is_tls:
            self._guarded(lambda: self._encrypt(destination.host))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        self._guarded(lambda: self._socket.sendall(data))

    def receive(self, size: int) -> bytes:
        """Return up to `size` bytes; none where the receiver has said its last."""
        return self._guarded(lambda: self._socket.recv(size))

    def finish(self) -> None:
        """Return once the receiver has read everything, and has closed its side in turn.

        A receiver that goes away with bytes unread resets the connection; one that closed while we still sent did
        not see our end. TCP's own acknowledgements say only that its machine has the bytes, not that it does. Who
        shuts down in good order what they have not read is not found out.
        """
        if self._has_ended():
            raise UndeliveredError("The receiver closed the connection before it had everything.")
        encrypted = self._socket
        if isinstance(encrypted, ssl.SSLSocket):
            self._guarded(lambda: self._unwrap(encrypted))
        else:
            self._guarded(lambda: self._socket.shutdown(socket.SHUT_WR))
        while self.receive(4096):
            continue
        self._guarded(self._check_received)

    def _has_ended(self) -> bool:
        """Whether the other side has closed already; looks without waiting."""
        # Under TLS the socket itself does not let anybody look at its bytes.
        with socket.socket(fileno=os.dup(self._socket.fileno())) as raw:
            try:
                return raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError as error:
                raise UndeliveredError(_told(error, limit_s=self._limit_s)) from None

    def _unwrap(self, encrypted: ssl.SSLSocket) -> None:
        """Say that it was all, as RFC 5425 4.4 has it, and wait for the same from the other side."""
        try:
            self._socket = encrypted.unwrap()
        except ssl.SSLError as error:
            # Many close without a word of TLS; the bytes themselves are looked after below.
            if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
                raise

    def _check_received(self) -> None:
        unread = struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        fault = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault or unread:
            raise ConnectionResetError(fault, "not everything was read")

    def _connected(self, addresses: list[str], port: int) -> socket.socket:
        fault: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((address, port), timeout=self._left())
            except OSError as error:
                fault = error
        raise UndeliveredError(_told(fault or OSError(), connecting=True, limit_s=self._limit_s)) from None

    def _encrypt(self, host: str) -> None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def _left(self) -> float:
        left = self._give_up_at - time.monotonic()
        if left <= 0:
            raise UndeliveredError(_SILENT.format(limit_s=self._limit_s))
        return left

    def _guarded(self, work: Callable[[], _Done]) -> _Done:
        self._socket.settimeout(self._left())
        try:
            return work()
        except OSError as error:
            raise UndeliveredError(_told(error, limit_s=self._limit_s)) from None


_SILENT = "The receiver did not answer within {limit_s:.0f} seconds."


def _told(error: OSError, *, limit_s: float, connecting: bool = False) -> str:
    """What went wrong, in plain words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The receiver's certificate is not accepted: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return f"No TLS connection came about: {error.reason or 'the receiver does not speak it'}."
    if isinstance(error, TimeoutError):
        return _SILENT.format(limit_s=limit_s)
    if isinstance(error, ConnectionRefusedError):
        return "The receiver refused the connection: nothing listens there."
    # A connection that was reset while nobody looked is not there any more at the next call.
    if not connecting and (isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN):
        return "The receiver broke the connection off."
    return f"The receiver cannot be reached: {error.strerror or type(error).__name__}."
