"""A forgotten password, through a real server and a mail server that takes its time."""

import email.policy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import httpx

from tests.servers import served_console

NEW = "a much better passphrase"
_PROVE = """
import json
from django.contrib.auth.models import User
from hoursmith_console.accounts.addresses import verify_address
from hoursmith_console.accounts.models import EmailVerification
user = User.objects.get(email={email!r})
print(json.dumps(bool(verify_address(user=user, email=user.email, method=EmailVerification.Method.MAIL_LINK))))
"""


class MailServer(ThreadingTCPServer):
    """Takes mail (RFC 5321, as much as is needed), each once `go_on` is set."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.go_on, self.asked, self.mails = Event(), Event(), Queue[str]()


class _Mail(StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 ready")
        self.server.asked.set()
        self.server.go_on.wait(60)
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"DATA"):
                self._say("354 go on")
                self.server.mails.put(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            self._say("250 done" if line != b"QUIT" else "221 bye")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_answer_waits_for_no_mail_and_the_link_in_it_works(tmp_path: Path) -> None:
    with mail_server() as mails:
        env = {"EMAIL_URL": f"smtp://127.0.0.1:{mails.server_address[1]}"}
        with served_console(tmp_path / "console", env=env) as served, httpx.Client(base_url=served.url) as browser:
            person = served.person("MEMBER")
            served.shell(_PROVE.format(email=person["email"]))
            for address in (person["email"], "nobody@example.com"):
                answer = _send(browser, "/accounts/password/reset/", email=address)
                assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/password/reset/done/")
            # Both were answered while the mail server says nothing more.
            assert mails.asked.wait(30)
            mails.go_on.set()
            message = email.message_from_string(mails.mails.get(timeout=30), policy=email.policy.default)
            assert message["To"] == person["email"]
            link = re.search(rf"{re.escape(served.url)}(/accounts/password/reset/key/\S+)", message.get_content())
            assert link is not None
            page = browser.get(link[1]).headers["Location"]
            assert _send(browser, page, password1=NEW, password2=NEW).status_code == 302
            assert _send(browser, "/accounts/login/", login=person["email"], password=NEW).headers["Location"] == "/"
            assert mails.mails.empty()


def _send(browser: httpx.Client, address: str, **form: str) -> httpx.Response:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(address).text)
    assert found is not None
    referer = {"Referer": f"{browser.base_url}{address.lstrip('/')}"}
    return browser.post(address, data={**form, "csrfmiddlewaretoken": found[1]}, headers=referer)
