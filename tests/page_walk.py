"""A signed-in reader of a served console, without a browser: follows links, finds forms, sends them."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

from tests.servers import Served

CSRF = "csrfmiddlewaretoken"
# What differs between two pages of one kind: ids, call ids, the prefix of a token, a connection's id.
_KEY = re.compile(
    r"/(?:\d+|[0-9a-f-]{36}|(?:live|test)_[0-9A-Za-z]{12}|[a-z2-9]{12}|(?<=/authorizations/)[\w-]{12})(?=/|$)"
)
# All documents of the help are one kind of page.
_DOCUMENT = re.compile(r"/help/(?:files/)?[\w.-]+/?")
_LEAVE = ("/accounts/logout", "/static/", "/mcp", "/sandbox/", "/audit/key", "/connect/", "/healthz")


@dataclass
class Control:
    """One field of a form, with what it says when it is left alone and what else it offers."""

    name: str
    kind: str
    value: str = ""
    choices: list[str] = field(default_factory=list)

    def plausible(self) -> str:
        """What somebody would enter who means well."""
        if self.kind == "date":
            return (date.today() + timedelta(days=30)).isoformat()
        if self.choices:
            return next(filter(None, self.choices), "")
        if self.value or self.kind in ("hidden", "submit", "checkbox"):
            return self.value
        return {"number": "40", "email": "zoe@example.com"}.get(self.kind, "Globex")


@dataclass
class SentForm:
    """A form as a page has it."""

    action: str
    method: str
    controls: dict[str, Control] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[str, str, tuple[str, ...]]:
        """What makes two forms the same to who fills them in."""
        return kind_of(self.action), self.method, tuple(sorted(self.controls))


class _Page(HTMLParser):
    """The links and forms of one page."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self._form: SentForm | None = None
        self._choosing: Control | None = None
        self.forms: list[SentForm] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        for name in ("href", "hx-get", "src"):
            if said.get(name):
                self.links.append(urljoin(self._base, said[name]))
        if tag == "form":
            self._form = SentForm(urljoin(self._base, said.get("action", "")), said.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "option" and self._choosing is not None:
            self._choosing.choices.append(said.get("value", ""))
        elif tag in ("input", "textarea", "select", "button") and said.get("name") and self._form is not None:
            kind = said.get("type", "submit" if tag == "button" else "text")
            made = Control(said["name"], kind if tag != "textarea" else "text", said.get("value", ""))
            control = self._form.controls.setdefault(made.name, made)
            if kind in ("radio", "checkbox", "submit"):
                control.choices.append(said.get("value", "on"))
            self._choosing = control if tag == "select" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._choosing = None


def kind_of(address: str) -> str:
    """The path without what names one record."""
    path = urlsplit(address).path
    return "/help/*" if _DOCUMENT.fullmatch(path) else _KEY.sub("/*", path)


def _read(answer: httpx.Response) -> _Page:
    page = _Page(str(answer.url))
    if "html" in answer.headers.get("Content-Type", ""):
        page.feed(answer.text)
    return page


def forms_of(answer: httpx.Response) -> list[SentForm]:
    """The forms of one page."""
    return _read(answer).forms


class Reader:
    """Somebody who is signed in, and what was answered to them."""

    def __init__(self, served: Served, email: str, password: str) -> None:
        self._served = served
        self._email, self._password = email, password
        self._browser = httpx.Client(base_url=served.url, timeout=30, follow_redirects=False)
        self.sign_in()

    def sign_in(self) -> None:
        """Sign in, once more where the session was ended."""
        answer = self._send("POST", "/accounts/login/", {"login": self._email, "password": self._password}, {})
        assert answer.status_code == 302, answer.status_code

    def get(self, address: str) -> httpx.Response:
        """Ask for `address`, and follow where it leads."""
        return self._browser.get(address, follow_redirects=True)

    def send(self, method: str, address: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form as the browser would, with the mark against forged ones."""
        answer = self._send(method, address, fields, headers)
        if answer.headers.get("Location", "").startswith("/accounts/login/") and "logout" not in address:
            # What was sent before ended the session.
            self._browser.cookies.clear()
            self.sign_in()
            answer = self._send(method, address, fields, headers)
        return answer

    def _send(self, method: str, address: str, fields: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        if method.upper() == "GET":
            return self._browser.get(address, params=fields, headers=headers)
        mark = self._browser.cookies.get("csrf")
        if mark is None:
            self._browser.get("/accounts/login/")
            mark = self._browser.cookies.get("csrf")
        return self._browser.post(address, data={**fields, CSRF: mark}, headers=headers)

    def pages(self, *, at_most: int = 250, filters: bool = True) -> Iterator[tuple[httpx.Response, list[SentForm]]]:
        """The pages reachable by links with their forms: the first of each kind and, with `filters`, of each filter."""
        waiting, known, paths = deque(["/"]), {("/", "")}, {"/"}
        while waiting and (at_most := at_most - 1):
            answer = self.get(waiting.popleft())
            page = _read(answer)
            yield answer, page.forms
            for link in page.links:
                parts = urlsplit(link)
                # A page with several filters at once says nothing that one with each of them does not.
                kind = (kind_of(link), "&".join(re.findall(r"(\w+)=", parts.query)[:1]))
                # Some pages are reached with a query alone.
                is_wanted = kind not in known and (filters or not parts.query or kind[0] not in paths)
                if is_wanted and link.startswith(self._served.url) and not parts.path.startswith(_LEAVE):
                    known.add(kind)
                    paths.add(kind[0])
                    waiting.append(link)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
