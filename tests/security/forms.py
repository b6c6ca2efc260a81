"""The forms that a page shows, and what a person would put into their fields."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.db.models import Model
from django.forms import BaseForm, BooleanField, ChoiceField, DateField, IntegerField, ModelChoiceField

from tests.paths import ROOT

TYPED = {
    "email": "somebody@example.com",
    "number": "1",
    "date": "2031-01-02",
    "datetime-local": "2031-01-02T03:04",
    "url": "http://127.0.0.2:9/y",
    "password": "correct horse battery staple",
}
# What one asks of one's own, or of nobody's: sent to what is not theirs, it shows and does nothing.
FIELDS = {
    "reason": "because", "note": "because", "name": "mine", "label": "mine", "title": "mine", "confirm": "yes",
    "format": "jsonl", "access": "full", "sequence": "1", "address": "http://127.0.0.2:9/y",
}  # fmt: skip
_POSTED = re.compile(r'POST(?:\.get|\.getlist)?[(\[]"(\w+)"')
PICKED = ("hidden", "select", "radio", "checkbox", "submit")


@dataclass
class Field:
    """One name of a form, with the values that it offers; the first is taken."""

    name: str
    kind: str
    values: list[str] = field(default_factory=list)

    @property
    def value(self) -> str:
        """What is sent where nobody means harm."""
        offered = [value for value in self.values if value]
        return offered[0] if offered else TYPED.get(self.kind, "because")

    @property
    def is_picked(self) -> bool:
        """Whether the page offers the values, so that a person could not type another."""
        return self.kind in PICKED


@dataclass
class Form:
    """A form that posts to `action`."""

    action: str
    fields: dict[str, Field] = field(default_factory=dict)

    def data(self) -> dict[str, str]:
        return {name: each.value for name, each in self.fields.items()}

    @property
    def shape(self) -> tuple[str, tuple[str, ...]]:
        """What tells it from another form."""
        return self.action, tuple(sorted(self.fields))

    def add(self, name: str, kind: str, value: str) -> None:
        """Note one more value of the field `name`."""
        if name and name != "csrfmiddlewaretoken":
            self.fields.setdefault(name, Field(name, kind)).values.append(value)


class _Forms(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.found: list[Form] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "hx-post" in given and tag != "form":
            self.found.append(Form(self._path(given["hx-post"])))
        if tag == "form":
            self._open = Form(self._path(given.get("action") or self._address))
            if given.get("method", "").lower() == "post":
                self.found.append(self._open)
        elif self._open is not None:
            self._note(self._open, tag, given)

    def _note(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "select":
            self._select = name
            form.add(name, "select", "")
        elif tag == "option" and self._select:
            form.add(self._select, "select", given.get("value", ""))
        elif tag in ("input", "textarea", "button"):
            kind = given.get("type", "submit" if tag == "button" else "text").lower()
            usual = "on" if kind == "checkbox" else ""
            form.add(name, kind, given.get("value") or usual)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""

    def _path(self, action: str) -> str:
        return urlsplit(urljoin(f"http://testserver{self._address}", action)).path


def forms_of(page: str, address: str) -> list[Form]:
    """Return the forms of `page`, which stands at `address`, that change something."""
    reader = _Forms(address)
    reader.feed(page)
    reader.close()
    return reader.found


def declared_fields() -> dict[str, Any]:
    """Return the fields of all forms that the console declares, shown on a page or not, by their names.

    Names that views read straight from what was posted are among them, without a field.
    """
    found: dict[str, Any] = {}
    for path in (ROOT / "hoursmith_console").rglob("*.py"):
        found.update(dict.fromkeys(_POSTED.findall(path.read_text(encoding="utf-8"))))
    waiting: list[Any] = [BaseForm]
    while waiting:
        form = waiting.pop()
        waiting.extend(form.__subclasses__())
        if form.__module__.startswith("hoursmith_console."):
            found.update(form.base_fields)
    return found


def _model_of(field: "ModelChoiceField[Model]") -> type[Model]:
    assert field.queryset is not None
    return field.queryset.model


def _first_choice(field: ChoiceField) -> str:
    """The first choice that is none of the empty ones, as a form would send it."""
    choices: Any = field.choices
    return next((str(value) for value, _ in choices if value), "")


def filled_with(identifiers: dict[str, str], text: str, key_of: Callable[[type[Model]], str]) -> dict[str, str]:
    """Return a value for every declared field: `text` where anything can be typed, and what `key_of` a model says.

    `identifiers` go before, by the names of fields.
    """
    data: dict[str, str] = {}
    for name, declared in declared_fields().items():
        if isinstance(declared, ModelChoiceField):
            data[name] = key_of(_model_of(declared))
        elif isinstance(declared, ChoiceField):
            data[name] = _first_choice(declared)
        elif isinstance(declared, BooleanField):
            data[name] = "on"
        elif isinstance(declared, DateField):
            data[name] = TYPED["date"]
        elif isinstance(declared, IntegerField):
            data[name] = "1"
        else:
            data[name] = text
    return {**data, **identifiers}
