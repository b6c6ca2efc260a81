"""A loop-back proxy that adds the Authorization header, for checkers that can send none."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

LONGEST_HEAD = 64 * 1024


@contextmanager
def authorizing_proxy(url: str, token: str) -> Iterator[str]:
    """The address at which `url` answers as if every request carried `token`.

    Bytes pass as they came, so that Host, Origin and every odd spelling of a header reach the server; each
    request gets a connection of its own.
    """
    target = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    head = f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
    address = (target.hostname or "127.0.0.1", target.port or 80)
    threading.Thread(target=_accept, args=(listener, address, head), daemon=True).start()
    try:
        yield target._replace(netloc=f"127.0.0.1:{listener.getsockname()[1]}").geturl()
    finally:
        # Closing alone leaves the accepting thread asleep.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, address: tuple[str, int], more: bytes) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(client, address, more), daemon=True).start()


def _pass_on(client: socket.socket, address: tuple[str, int], more: bytes) -> None:
    with client, socket.create_connection(address) as server:
        head, body = _read_head(client)
        if not head:
            return
        server.sendall(head + b"\r\n" + more + body)
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        _pump(server, client)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """The request's head without the empty line that ends it, and the part of the body that came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(LONGEST_HEAD)
        if not piece or len(received) > LONGEST_HEAD:
            return b"", b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join(lines), body


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(LONGEST_HEAD):
            sink.sendall(piece)
    except OSError:
        # Either side may hang up in the middle; the other one sees it.
        return
