"""The standard cast is what it says: two workspaces, mail, two issuers, hosted mode."""

from pathlib import Path
from typing import Any

import pytest
from django.core.mail import send_mail
from django.test import Client
from pytest_django import Settings

from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.workspaces.mail import sends_mail
from hoursmith_console.workspaces.models import Member
from tests.faults.upstream import Hoursmith
from tests.oidc_provider import Provider
from tests.standard_setup import issuer_use
from tests.tenants import BOTH, ROLES, Tenant, signed_in


@pytest.mark.django_db(databases="__all__")
def test_there_are_two_workspaces_with_everybody_in_each_and_one_person_in_both(tenants: tuple[Tenant, Tenant]) -> None:
    first, second = tenants
    for tenant in tenants:
        assert set(tenant.people) == {*ROLES, BOTH}
        assert Member.objects.with_access().filter(workspace=tenant.workspace, user__isnull=False).count() == 6
        owner = tenant.people["owner"].user
        assert owner is not None
        assert tenant.tokens["member"].prefix in signed_in(owner).get("/tokens/").content.decode()
    assert first.people[BOTH].user == second.people[BOTH].user
    assert not set(first.prefixes) & set(second.prefixes)


def test_mail_counts_as_sent(mail: list[Any]) -> None:
    assert sends_mail()
    send_mail("Hello", "…", None, ["ana@example.com"])
    assert [message.to for message in mail] == [["ana@example.com"]]


def test_mail_can_be_kept_in_files(mail_folder: Path) -> None:
    assert not sends_mail()
    send_mail("Hello", "…", None, ["ana@example.com"])
    assert [b"To: ana@example.com" in path.read_bytes() for path in mail_folder.iterdir()] == [True]


@pytest.mark.django_db
def test_people_sign_in_with_one_issuer_and_then_with_the_other(
    two_issuers: tuple[Provider, Provider], settings: Settings
) -> None:
    for provider in two_issuers:
        issuer_use(settings, provider)
        leaving = Client().post("/accounts/openid/login/")
        assert leaving["Refresh"].startswith(f"0; url={provider.issuer}/authorize")


def test_in_hosted_mode_no_token_is_made_here(hosted: Hoursmith, settings: Settings) -> None:
    assert not current_issuer().supports_minting
    assert hosted.url == settings.HOURSMITH_API_URL
