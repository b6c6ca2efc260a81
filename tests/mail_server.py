"""A mail server on loopback that takes every message and shows it."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class MailServer:
    """The running server. `messages` are as they came over the connection."""

    port: int = 0
    messages: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As EMAIL_URL names it."""
        return f"smtp://127.0.0.1:{self.port}"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A mail server of its own (RFC 5321, as little as Django needs)."""
    running = MailServer()

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            while command := self.rfile.readline().strip().upper():
                if command == b"DATA":
                    self.say("354 go on")
                    running.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.say("221 bye" if command == b"QUIT" else "250 fine")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Connection) as server:
        running.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield running
        server.shutdown()
