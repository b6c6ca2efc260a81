"""The user in front of the pages that ask for consent, without a browser.

Run as a script, it is the browser that a client opens: its folder says with which token and decision to answer.
"""

import sys
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

ALLOW, DENY = "allow", "deny"
BUSY_S = 30.0


@dataclass
class Form:
    """One form: where it goes, what it sends if nothing is changed, and the names of its password fields."""

    action: str = ""
    data: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(Form(found.get("action", "")))
        elif tag == "a":
            self.links.append(found.get("href", ""))
        elif self.forms and tag == "input":
            self._input(self.forms[-1], found)
        elif self.forms and tag == "button" and "name" in found:
            self.forms[-1].buttons.append((found["name"], found.get("value", "")))

    def _input(self, form: Form, found: dict[str, str]) -> None:
        name, kind = found.get("name", ""), found.get("type", "text")
        if kind == "password":
            form.secrets.append(name)
        elif kind == "radio":
            form.choices.setdefault(name, []).append(found["value"])
        if kind not in ("radio", "checkbox") or "checked" in found:
            form.data[name] = found.get("value", "")


def decide(address: str, token: str, decision: str = ALLOW) -> str:
    """Answer the pages at `address` as the user of `token` would; return where the browser is led in the end."""
    with httpx.Client(follow_redirects=True, timeout=30, headers={"Referer": address}) as browser:
        asking = browser.get(address)
        page = _Page(_text(asking))
        # Where the client's request is refused, the page leads back at once.
        form = next((each for each in page.forms if each.secrets), None)
        if form is None:
            return _led_to(asking)
        (secret,) = form.secrets
        # All that the token may do; the pages propose less.
        wider = {name: "full" for name, values in form.choices.items() if "full" in values}
        allowing = _posted(browser, urljoin(address, form.action), {**form.data, **wider, secret: token})
        agreement = next(each for each in _Page(_text(allowing)).forms if ("decision", decision) in each.buttons)
        sent = {**agreement.data, "decision": decision}
        return _led_to(browser.post(urljoin(address, agreement.action), data=sent))


def _posted(browser: httpx.Client, address: str, form: dict[str, str]) -> httpx.Response:
    """Send the token; try again while others sign in, since the console asks Hoursmith about few tokens at once."""
    until = time.monotonic() + BUSY_S
    answer = browser.post(address, data=form)
    while answer.status_code == 409 and "Too many" in answer.text and time.monotonic() < until:
        time.sleep(0.1)
        answer = browser.post(address, data=form)
    return answer


def _text(answer: httpx.Response) -> str:
    text: str = answer.text
    assert answer.status_code == 200, f"{answer.status_code} of {answer.url.path}: {text[:2000]}"
    return text


def _led_to(answer: httpx.Response) -> str:
    """Return the address that the page leads to by itself, which its link names as well."""
    _text(answer)
    refresh = answer.headers.get("Refresh", "")
    assert refresh.startswith("0"), answer.text[:2000]
    target: str = refresh.partition("url=")[2].strip("'\"")
    assert target in _Page(answer.text).links
    return target


def main(folder: Path, address: str) -> None:
    """Open `address`, decide as `folder` says, and follow where the page leads. Count it there."""
    with (folder / "opened").open("a", encoding="utf-8") as opened:
        opened.write(f"{urlsplit(address).path}\n")
    token, decision = ((folder / name).read_text(encoding="utf-8") for name in ("token", "decision"))
    httpx.get(decide(address, token, decision), timeout=30)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
