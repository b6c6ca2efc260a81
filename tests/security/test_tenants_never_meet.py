"""Every address × method × person × workspace, beside a second workspace: nothing crosses, nothing breaks.

Nobody finds, sees or changes anything of another workspace, whatever stands in the address or in a form's fields; and
no request, however strange, is answered with a fault of ours.
"""

import copy
import functools
import random
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections
from django.db.models import Model
from django.test import Client, override_settings
from pytest_django.plugin import DjangoDbBlocker

from hoursmith_console.audit.watchers.access import FAILURES
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import AuditEvent, SigningHead
from tests.databases import as_default
from tests.page_urls import console_routes, every_route, filled
from tests.postgres import shared_cluster
from tests.prepared import EMPTY
from tests.security.conftest import content_of
from tests.security.forms import FIELDS, Form, filled_with, forms_of
from tests.security.ownership import FLEETING, models, rows_of, strangers_with
from tests.security.workspace_records import SAMPLES, Records, records_of
from tests.tenants import BOTH, ROLES, Tenant, signed_in, two_tenants, undone

OURS, THEIRS = "ZQours", "ZQtheirs"
ALIASES = ("default", "sandbox")
# Who asks, and from which workspace; the other one is foreign to them. From each somebody who is in no other.
EVERYBODY = [
    *((name, THEIRS if name == "admin" else OURS) for name in (*ROLES, BOTH)),
    (BOTH, THEIRS), ("nobody", OURS), ("anonymous", OURS),
]  # fmt: skip
# With these everything is tried; with the others what a page or a program would send.
CLOSELY = [("owner", OURS), ("member", OURS), (BOTH, THEIRS)]
CASES = [
    *(("sqlite", "sandbox", visitor) for visitor in EVERYBODY),
    ("postgres", "sandbox", CLOSELY[2]),
    ("postgres", "hosted", CLOSELY[0]),
]
# For what takes many requests: on each database once more, and in each mode.
CLOSE_CASES = [case for case in CASES if case[2] in (*CLOSELY, ("auditor", OURS)) and case[:2] != CASES[-2][:2]]
# How many pages open for each, and how many forms they have, at least.
LEAST = {
    "owner": (80, 55), "admin": (70, 45), "auditor": (60, 15), "manager": (30, 8), "member": (30, 8), BOTH: (30, 9),
    "nobody": (15, 5), "anonymous": (7, 2),
}  # fmt: skip
# What the pages are made for, and what nobody sends them who means well.
COMMON, STRANGE = ("get", "post"), ("head", "put", "patch", "delete", "options")
REFUSED = 405
KEYED = [route for route in every_route() if "<" in route and route not in SAMPLES]
ENCODED = "application/x-www-form-urlencoded"
_WRITES = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
_OUR_OWN = re.compile(rb'(name="csrfmiddlewaretoken" value=|X-CSRFToken": ?)"[^"]*"')


@dataclass
class Site:
    """The two workspaces, and where each kind of their records is."""

    tenants: dict[str, Tenant]
    records: dict[str, Records]
    nobody: User

    def __post_init__(self) -> None:
        self.both = self.tenants[OURS].people[BOTH].user
        self.before = {mark: self._rows(mark, models()) for mark in self.tenants}

    def _rows(self, mark: str, among: Iterable[type[Model]]) -> dict[str, Any]:
        tenant = self.tenants[mark]
        assert self.both is not None
        return rows_of(tenant.org_id, tenant.prefixes, [self.both], among)

    def visitor(self, name: str, mark: str) -> Client:
        tenant = self.tenants[mark]
        if name == "anonymous":
            return Client(raise_request_exception=False)
        user = self.nobody if name == "nobody" else tenant.people[name].user
        assert user is not None
        return signed_in(user, tenant.workspace)

    def assert_untouched(self, mark: str, where: str, among: Iterable[type[Model]]) -> None:
        """Nothing of the workspace has changed, of the models `among` these, and no row of another names its tokens."""
        tenant, now, before = self.tenants[mark], self._rows(mark, among), self.before[mark]
        changed = {label: (before[label], now[label]) for label in now if now[label] != before[label]}
        assert not changed, f"{changed} of {mark} was changed by {where}"
        strangers = strangers_with(tenant.org_id, tenant.prefixes, among)
        assert not strangers, f"{where}: rows of others name a token of {mark}: {strangers}"


@pytest.fixture(scope="module")
def postgres_url(needs: Callable[[bool, str], None]) -> str:
    """An empty database on a server."""
    return shared_cluster(needs).create_database("tenants", template=EMPTY)


@pytest.fixture(scope="module")
def site_in(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[str], Site]]:
    """Return the site in a database, made when another was asked for last. Each request is undone: all find the same.

    A fixture with a parameter would be made for each test, since its scope would be that of the others beside it.
    """
    made: dict[str, Site] = {}
    with (
        django_db_blocker.unblock(),
        override_settings(LOG_DESTINATION_PRIVATE_NETWORKS=["127.0.0.2"], LOG_DESTINATION_TIMEOUT_S=0.2),
        ExitStack() as entered,
    ):

        def find(database: str) -> Site:
            if database not in made:
                made.clear()
                entered.close()
                if database == "postgres":
                    entered.enter_context(as_default(request.getfixturevalue("postgres_url")))
                entered.enter_context(undone(*ALIASES))
                made[database] = _site()
            return made[database]

        yield find


@pytest.fixture
def site(request: pytest.FixtureRequest, site_in: Callable[[str], Site]) -> Site:
    """Two workspaces in which there is one record of every kind."""
    return site_in(request.param)


def _site() -> Site:
    tenants = dict(zip((OURS, THEIRS), two_tenants(OURS, THEIRS), strict=True))
    records = {mark: records_of(tenant) for mark, tenant in tenants.items()}
    return Site(tenants, records, User.objects.create_user("nobody", is_staff=True, is_superuser=True))


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> str:
    """Whether tokens are made here or at Hoursmith."""
    if request.param == "hosted":
        request.getfixturevalue("hosted")
    return str(request.param)


@functools.lru_cache(maxsize=8)
def _encoded(data: tuple[tuple[str, str], ...]) -> str:
    """What a form sends; two hundred fields go to hundreds of addresses."""
    return urlencode(data)


class Asking:
    """Makes requests of one visitor, each of them undone, and looks at what they did."""

    def __init__(self, site: Site, database: str, mode: str, visitor: tuple[str, str]) -> None:
        name, mark = visitor
        self.site, self.name, self.own = site, name, mark
        self.foreign = THEIRS if mark == OURS else OURS
        self.who = f"{name} of {mark}"
        self._is_both, self._is_anonymous = name == BOTH, name == "anonymous"
        self.is_close = (database, mode, visitor) in CLOSE_CASES
        # Each text on one database, and what is no visitor's alone once more in the other mode.
        self._tries = 1 if visitor not in CLOSELY else {"sqlite": 3, "postgres": 2 if mode == "hosted" else 1}[database]
        # A method is refused before anything is looked up: once is enough.
        self.strange = STRANGE if mode == "sandbox" and visitor in (("owner", OURS), ("anonymous", OURS)) else ()
        self.client = site.visitor(name, mark)
        # The first request of a session puts it on record, and would again if that were undone with each request.
        self.client.get("/accounts/sessions/")
        self._cookies = copy.deepcopy(self.client.cookies)
        others = site.records[self.foreign]
        # Whoever is in both workspaces may choose the other one by its name.
        self._secrets = others.secrets if name == BOTH else [*others.secrets, others.name]
        self._tables = {model._meta.db_table: model for model in models() if model._meta.label not in FLEETING}

    def some(self, values: list[str]) -> list[str]:
        """Those of `values` that this visitor tries."""
        return values[: self._tries]

    def send(self, method: str, address: str, data: dict[str, Any]) -> Any:
        """The answer to one request."""
        if method in ("get", "head"):
            return getattr(self.client, method)(address, data)
        return getattr(self.client, method)(address, _encoded(tuple(data.items())), content_type=ENCODED)

    def ask(self, method: str, address: str, data: dict[str, Any] | None = None) -> tuple[Any, bytes, set[type[Model]]]:
        """The answer, its body, and the models of which something was written."""
        written: set[type[Model]] = set()

        def note(execute: Any, statement: Any, *rest: Any) -> Any:
            if found := _WRITES.match(str(statement)):
                written.update(model for model in [self._tables.get(found[1])] if model is not None)
            return execute(statement, *rest)

        where = f"{method} {address} by {self.who} with {data}"
        with undone(*ALIASES), ExitStack() as noting:
            for alias in ALIASES:
                noting.enter_context(connections[alias].execute_wrapper(note))
            # A browser is not undone: what signs out would leave the rest of the walk to an anonymous visitor.
            self.client.cookies = copy.deepcopy(self._cookies)
            # Nor are limits of attempts, which would refuse what comes behind them.
            cache.clear()
            answer = self.send(method, address, data or {})
            body = content_of(answer)
            assert answer.status_code < 500, f"{where}: {getattr(answer, 'exc_info', None)}"
            self._assert_nothing_is_shown(answer, body, where, f"{address} {data}")
            if among := written - self._may_write(address):
                self.site.assert_untouched(self.foreign, where, among)
        return answer, body, written

    def _may_write(self, address: str) -> set[type[Model]]:
        """What concerns an account is on record in each workspace of its person, attempts to sign in included."""
        if self._is_both and address == "/accounts/time-zone/":
            return {Member}
        is_account = address.startswith("/accounts/") and (self._is_both or self._is_anonymous)
        return {AuditEvent, SigningHead} if is_account else set()

    def _assert_nothing_is_shown(self, answer: Any, body: bytes, where: str, sent: str) -> None:
        shown = (body + repr(dict(answer.headers)).encode()).decode(errors="replace")
        leaks = [secret for secret in self._secrets if secret in shown and secret not in sent]
        assert not leaks, f"{where} shows {leaks}"


@pytest.fixture
def asking(request: pytest.FixtureRequest, site: Site, mode: str) -> Iterator[Asking]:
    with undone(*ALIASES):
        yield Asking(site, *request.param)


def _walk(cases: list[tuple[str, str, tuple[str, str]]]) -> pytest.MarkDecorator:
    names = ["-".join((database, mode, *visitor)) for database, mode, visitor in cases]
    given = [(case[0], case[1], case) for case in cases]
    return pytest.mark.parametrize(("site", "mode", "asking"), given, indirect=True, ids=names)


in_every_case, in_close_cases = _walk(CASES), _walk(CLOSE_CASES)


@in_every_case
def test_what_belongs_to_another_workspace_is_not_there(asking: Asking) -> None:
    for route in KEYED:
        theirs, absent = asking.site.records[asking.foreign].address(route), filled(route)
        # The limit of an address, which the walk itself reaches, must not lie between the two.
        FAILURES.forget()
        for method in COMMON:
            data = FIELDS if method == "post" else None
            answer, body, written = asking.ask(method, theirs, data)
            nothing, nothing_body, _ = asking.ask(method, absent, data)
            where = f"{method} {route} by {asking.who}"
            assert answer.status_code == nothing.status_code, where
            assert _plain(body, theirs) == _plain(nothing_body, absent), where
            assert not written, f"{where} wrote {written}"
        for method in asking.strange:
            assert not asking.ask(method, theirs)[2], f"{method} {route} by {asking.who}"


def _plain(body: bytes, address: str) -> bytes:
    """`body` without what differs between any two answers: the address that was asked for, and forms' own secrets."""
    return _OUR_OWN.sub(b"", body).replace(address.encode(), b"")


@in_every_case
def test_every_address_answers_and_shows_and_changes_nothing_of_others(asking: Asking) -> None:
    """Nor does any form that a page shows, whatever of the other workspace stands in one of its fields."""
    own, foreign = (asking.site.records[mark] for mark in (asking.own, asking.foreign))
    texts = asking.some(foreign.texts)
    # Of some forms, the address says what they are about.
    typed = [
        (f"?{foreign.query}" if text in texts[1:] else "", filled_with(foreign.named, text, foreign.key_of))
        for text in texts
    ]
    opened, forms = set(), {}
    for route in every_route():
        address = own.address(route)
        answer, body, _ = asking.ask("get", address)
        if answer.status_code == 200:
            opened.add(route)
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                forms |= {form.shape: form for form in forms_of(body.decode(), address)}
        # What refuses a method has read no field.
        if answer.status_code != REFUSED:
            asking.ask("get", f"{address}?{foreign.query}")
        if asking.ask("post", address)[0].status_code != REFUSED:
            for query, data in typed:
                asking.ask("post", f"{address}{query}", data)
        # With a key, they are sent above to what is not theirs.
        for method in asking.strange if route not in KEYED else ():
            asking.ask(method, address)
    if asking.is_close:
        for form in forms.values():
            _try_each_field(asking, form)
    # Else the walk would pass on keys that fit nothing, on pages without forms, or as somebody who is signed out.
    pages, found = LEAST[asking.name]
    assert len(opened) >= pages, sorted(opened)
    assert len(forms) >= found, sorted(forms)


def _try_each_field(asking: Asking, form: Form) -> None:
    foreign = asking.site.records[asking.foreign]
    asking.ask("post", form.action, form.data())
    for name, field in form.fields.items():
        for value in foreign.numbers if field.is_picked and field.value.isdigit() else asking.some(foreign.texts):
            asking.ask("post", form.action, {**form.data(), name: value})


@in_close_cases
def test_nor_does_any_row_of_requests(asking: Asking) -> None:
    """What one step has left behind is there for the next: a token is named, then another is made, then it is lost."""
    own, foreign = (asking.site.records[mark] for mark in (asking.own, asking.foreign))
    addresses = [own.address(route) for route in console_routes() if not route.startswith("workspace")]
    for text in asking.some(foreign.texts)[:2]:
        data = filled_with(foreign.named, text, foreign.key_of)
        random.shuffle(addresses)
        refused = {address for address in addresses if asking.send("post", address, data).status_code == REFUSED}
        addresses = [address for address in addresses if address not in refused]
        for address in addresses:
            asking.send("post", address, data)
        asking.site.assert_untouched(asking.foreign, f"{addresses} by {asking.who} with {data}", models())
