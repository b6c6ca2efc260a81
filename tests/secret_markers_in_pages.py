"""Secrets pushed into every form, every address and every parameter that the console's pages have."""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape

import httpx
from django import forms
from django.urls import get_resolver

import hoursmith_console
from hoursmith_console.core.forms import PASTED
from tests.page_urls import filled, routes
from tests.page_walk import CSRF, Control, Reader, SentForm, forms_of, kind_of
from tests.secret_markers import Canaries

_WHOLE = re.compile(r"hsk_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}")
# They end what the walk needs; they are tried last.
_ENDS = ("logout", "sessions", "close", "workspace/")
# They end what other forms are about.
_LATE = ("block", "offboard", "cancel", "finish", "remove", "delete", "revoke", "pause", "close", "unused")
# Sent as it is meant, each of these would keep the walk from whatever comes behind it.
_SHUTS = ("two-factor", "/2fa/", "password", "/pause/", *_ENDS)
# As many fields with a token each fit into one address.
_IN_AN_ADDRESS = 40


@dataclass
class Walk:
    """What was sent, and what came back that should not have."""

    canaries: Canaries
    forms: dict[tuple[str, str, tuple[str, ...]], SentForm] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    repeated: dict[str, set[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    refused: int = 0

    def look(self, place: str, answer: httpx.Response) -> None:
        """Note where an answer repeats a secret, or is a fault of the console's."""
        self.sent[place.split(" ")[0]] += 1
        said = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
        if found := self.canaries.traces(said + b"\n" + answer.content):
            self.repeated[place] = found
        self.refused += PASTED in unescape(answer.text)
        # What is too long for an address is read by nobody.
        if answer.status_code >= 500 or answer.status_code == 414:
            self.faults.append(f"{answer.status_code} {place}")


def push_into_pages(reader: Reader, walk: Walk, meant: Mapping[str, str], *, rounds: int = 1) -> None:
    """Fill in every form that links lead to with secrets, and then as it is meant, so that more of them appear.

    `meant` says what some fields want, by their name or by the end of the form's address and their name.
    """
    late: list[SentForm] = []
    for _ in range(rounds):
        # What a filter leaves of a list has the same forms; `look_afterwards` looks at it.
        for form in _in_order(_new_forms(reader, walk, "page", filters=False)):
            _push_into(reader, walk, form)
            if any(part in form.action for part in _LATE):
                late.append(form)
            else:
                _send_as_meant(reader, walk, form, meant)
    for form in late:
        _send_as_meant(reader, walk, form, meant)
    _look_at_messages(reader, walk)


def look_afterwards(reader: Reader, walk: Walk, *, filters: bool) -> None:
    """Look at every page once all was sent, and fill in the forms that were not there before."""
    for form in _in_order(_new_forms(reader, walk, "afterwards", filters=filters)):
        _push_into(reader, walk, form)
    _look_at_messages(reader, walk)


def _in_order(found: Iterable[SentForm]) -> list[SentForm]:
    return sorted(found, key=lambda form: any(part in form.action for part in _ENDS))


def _push_into(reader: Reader, walk: Walk, form: SentForm) -> None:
    for control in form.controls.values():
        _send(reader, walk, form, control)
    _send_all(reader, walk, form)


def _look_at_messages(reader: Reader, walk: Walk) -> None:
    """Look at the first page, which says what came of the last forms."""
    walk.look("page /", reader.get("/"))


def _new_forms(reader: Reader, walk: Walk, place: str, *, filters: bool = True) -> Iterator[SentForm]:
    for answer, found in reader.pages(filters=filters):
        walk.look(f"{place} {kind_of(str(answer.url))}", answer)
        yield from _unknown(walk, found)


def _unknown(walk: Walk, found: Iterable[SentForm]) -> Iterator[SentForm]:
    for form in found:
        if form.method == "get":
            # Of the forms that filter one list, each field once: it says the same beside whatever others are chosen.
            known = {
                name for (action, method, names) in walk.forms if (action, method) == form.kind[:2] for name in names
            }
            form = SentForm(form.action, form.method, {k: v for k, v in form.controls.items() if k not in known})
        if form.controls and form.kind not in walk.forms and form.method != "dialog":
            walk.forms[form.kind] = form
            yield form


def _send_as_meant(reader: Reader, walk: Walk, form: SentForm, meant: Mapping[str, str]) -> None:
    if any(part in form.action for part in _SHUTS):
        return
    last = kind_of(form.action).rstrip("/").rpartition("/")[2]
    fields = {
        each.name: meant.get(f"{last} {each.name}") or meant.get(each.name) or each.plausible()
        for each in form.controls.values()
        if each.name != CSRF
    }
    answer = reader.send(form.method, form.action, fields)
    for token in set(_WHOLE.findall(answer.text)):
        # Shown once, in this answer.
        walk.canaries.token("a token that was minted here", token)
    if form.method == "get":
        for following in _unknown(walk, forms_of(answer)):
            _send_as_meant(reader, walk, following, meant)
            for control in following.controls.values():
                _send(reader, walk, following, control)


def _send(reader: Reader, walk: Walk, form: SentForm, control: Control) -> None:
    """All that the form wants, and a secret in one field of it: plain, then wrapped."""
    if control.name == CSRF:
        return
    fields = {each.name: each.plausible() for each in form.controls.values() if each.name != CSRF}
    place = f"form {kind_of(form.action)} {control.name}"
    for text in (walk.canaries.token(place), walk.canaries.wrapped(place)):
        walk.look(place, reader.send(form.method, form.action, {**fields, control.name: f"x {text} y"}))


def _send_all(reader: Reader, walk: Walk, form: SentForm) -> None:
    place = f"form {kind_of(form.action)}"
    names = [name for name in form.controls if name != CSRF]
    walk.look(place, reader.send(form.method, form.action, {name: walk.canaries.token(place) for name in names}))


def push_into_addresses_of_pages(
    reader: Reader, walk: Walk, names: Sequence[str], keys: dict[str, str], *, in_addresses: bool
) -> None:
    """GET and POST every address that the resolver knows, with secrets in all that a request says.

    What stands `in_addresses` is taken out, or refused, before a view is called.
    """
    found = sorted({route for route in routes(get_resolver()) if "^" not in route and not route.startswith("sandbox/")})
    for route in sorted(found, key=lambda route: any(part in route for part in _ENDS)):
        place, address = f"address {route}", filled(route, keys)
        token, wrapped = walk.canaries.token(place), walk.canaries.wrapped(place)
        headers = {"User-Agent": token, "Referer": f"https://{token}.example.com/", "X-Forwarded-For": token}
        fields, hidden = dict.fromkeys((*names, token), f"x {token} y"), dict.fromkeys(names, wrapped)
        walk.look(place, reader.send("GET", address, {}, **headers))
        walk.look(place, reader.send("POST", f"{address}?q={token}&next=/{token}", fields))
        walk.look(place, reader.send("POST", address, hidden, **headers))
        if in_addresses:
            walk.look(place, reader.send("GET", address, dict(list(fields.items())[:_IN_AN_ADDRESS])))
            walk.look(place, reader.get(f"{address}{token}/"))
        if address != filled(route):
            # Where there is no record, it is looked up before fields are read.
            walk.look(place, reader.send("GET", filled(route), {}, **headers))
            walk.look(place, reader.send("POST", f"{filled(route)}?q={token}", hidden, **headers))


def declared_names() -> set[str]:
    """The names of all fields of all forms that the console's modules declare or take over from a library."""
    for module in pkgutil.walk_packages(hoursmith_console.__path__, "hoursmith_console."):
        if "gunicorn" not in module.name and ".migrations" not in module.name:
            importlib.import_module(module.name)
    names: set[str] = set()
    waiting: list[type[forms.BaseForm]] = [forms.BaseForm]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            names |= set(getattr(each, "base_fields", {}))
    return names
