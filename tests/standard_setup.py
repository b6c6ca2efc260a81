"""The standard cast of every test: two workspaces, mail that is sent, two OpenID Connect issuers, hosted mode."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.mail import EmailMessage
from django.utils import timezone
from pytest_django import Settings

from hoursmith_console.sign_in.oidc import settings as oidc_settings
from tests.faults.upstream import Hoursmith, serving
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, oidc_provider
from tests.servers import Served, served_console
from tests.tenants import Tenant, two_tenants


@pytest.fixture
def tenants(db: None) -> tuple[Tenant, Tenant]:
    """Two workspaces with every role in each, at Hoursmith too, and one person in both.

    Mark the test with `django_db(databases="__all__")`: Hoursmith's own rows are in the sandbox's database.
    """
    return two_tenants("Acme", "Globex")


@pytest.fixture
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Stops the clock at an instant until the end of the test, so that no hour, day or month ends in it."""
    return lambda instant: monkeypatch.setattr(timezone, "now", lambda: instant)


@pytest.fixture
def mail(settings: Settings) -> list[EmailMessage]:
    """Let mail count as sent to people; what was sent so far."""
    settings.EMAIL_BACKEND = "tests.mail_backend.EmailBackend"
    outbox: list[EmailMessage] = django_mail.outbox
    return outbox


@pytest.fixture
def mail_folder(settings: Settings, tmp_path: Path) -> Path:
    """Let mail be kept in files; the folder in which they come up."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    folder: Path = settings.EMAIL_FILE_PATH
    return folder


def issuer_use(settings: Any, provider: Provider) -> None:
    """Let people sign in with `provider` from now on, as an operator would by OIDC_ISSUER."""
    settings.OIDC = {"issuer": provider.issuer, "client_id": CLIENT_ID, "secret": CLIENT_SECRET, "name": "Example"}
    settings.SOCIALACCOUNT_PROVIDERS = oidc_settings.oidc_provider(settings.OIDC)


@pytest.fixture
def two_issuers(settings: Settings) -> Iterator[tuple[Provider, Provider]]:
    """Two OpenID Connect providers on loopback; people sign in with the first until `issuer_use` says otherwise."""
    with ExitStack() as running:
        first, second = (running.enter_context(oidc_provider()) for _ in range(2))
        issuer_use(settings, first)
        yield first, second


@pytest.fixture
def issuer(two_issuers: tuple[Provider, Provider]) -> Provider:
    """The OpenID Connect provider that people sign in with."""
    return two_issuers[0]


@pytest.fixture
def hosted(settings: Settings) -> Iterator[Hoursmith]:
    """Let this process be a hosted console; the Hoursmith in front of which it stands, behind real HTTP."""
    with serving() as running:
        settings.SANDBOX_MODE, settings.HOURSMITH_API_URL = False, running.url
        yield running


@pytest.fixture(scope="module")
def hosted_console(console: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hosted console, not started yet, for the tests of one file; its Hoursmith is the sandbox of `console`."""
    env = {
        "HOURSMITH_API_URL": f"{console.url}/sandbox/api/v1",
        "HOURSMITH_TOKENS_URL": f"{console.url}/settings/api",
        "IDENTITY_TTL_S": "0.5",
    }
    with served_console(tmp_path_factory.mktemp("hosted"), env=env, start=False) as served:
        yield served
