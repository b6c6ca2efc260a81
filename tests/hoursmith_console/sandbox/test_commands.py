"""The sandbox commands: seed, mint, plan."""

import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from hoursmith_console.sandbox.models import Organization, Token
from hoursmith_console.sandbox.seed.members import create_members
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from tests.hoursmith_console.sandbox.fixtures import send

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def cast() -> Organization:
    """The demo workspace with its people and none of their work, which the console has not heard of."""
    org, _ = create_members(now=datetime(2026, 11, 23, tzinfo=UTC))
    return org


def _run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def _seed(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run("sandbox_seed", "--json", *arguments))
    return found


def test_seeding_prints_sign_ins_that_work_and_prints_each_password_once(settings: Any) -> None:
    settings.PUBLIC_URL = "https://console.example"
    first = _seed()
    assert (first["workspace"], first["plan"]) == ("Northwind Studio", "agency")
    assert (first["console_url"], first["mcp_url"]) == ("https://console.example/", "https://console.example/mcp")
    assert [person["role"] for person in first["members"]] == [
        "OWNER",
        "ADMIN",
        "MANAGER",
        "MEMBER",
        "MEMBER",
        "MEMBER",
    ]
    for person in first["members"]:
        assert person["email"].endswith(".example")
        assert authenticate(email=person["email"], password=person["password"]) is not None
    assert len({person["password"] for person in first["members"]}) == 6
    for again in (_seed(), _seed("--reset")):
        assert [person["password"] for person in again["members"]] == [None] * 6


def test_seeding_makes_workspace_and_members_known_to_the_console() -> None:
    _seed()
    _seed("--reset")
    workspace = Workspace.objects.get()
    assert workspace.org_id == str(Organization.objects.get().pk)
    assert workspace.members.count() == 6
    assert all(member.user is not None for member in workspace.members.all())


def test_seeding_for_people_prints_a_table_and_the_addresses(settings: Any) -> None:
    out = _run("sandbox_seed")
    assert re.search(r"^Owner +Ana Lindqvist +ana@northwind\.example +\S+$", out, re.MULTILINE)
    assert f"{settings.PUBLIC_URL}/mcp" in out
    assert "A password is only shown when it is created." in _run("sandbox_seed")


def test_minting_prints_the_token_alone_and_claims_it_for_its_member(cast: Organization) -> None:
    token = _run("sandbox_mint", "--email", "Carla@northwind.example", "--name", "Carla's laptop")
    assert re.fullmatch(r"hsk_live_[0-9a-f]{12}_[0-9A-Za-z]{32}\n", token)
    me = send("GET", "/me", authorization=f"Bearer {token.strip()}").json()["data"]
    assert (me["role"], me["tokenName"], me["scopes"]) == ("MANAGER", "Carla's laptop", ["read", "write"])
    claim = TokenClaim.objects.get()
    assert (claim.env, claim.prefix) == ("live", token.split("_")[2])
    assert claim.member == Member.objects.get(email="carla@northwind.example")


def test_minting_with_the_read_scope(cast: Organization) -> None:
    _run("sandbox_mint", "--email", "ana@northwind.example", "--name", "x", "--scope", "read")
    assert Token.objects.get().scopes == ["read"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_minting_needs_a_name_that_can_be_kept(cast: Organization, name: str) -> None:
    with pytest.raises(CommandError, match="--name"):
        _run("sandbox_mint", "--email", "ana@northwind.example", "--name", name)


def test_minting_for_a_stranger_names_those_who_are_known(cast: Organization) -> None:
    with pytest.raises(CommandError, match=r"nobody@x\.example.*ana@northwind\.example"):
        _run("sandbox_mint", "--email", "nobody@x.example", "--name", "x")
    assert not Token.objects.exists()


@pytest.mark.parametrize("plan", ["free", "studio", "agency"])
def test_the_plan_can_be_changed_and_the_console_hears_of_it(cast: Organization, plan: str) -> None:
    assert plan in _run("sandbox_plan", plan)
    cast.refresh_from_db()
    assert cast.plan == Workspace.objects.get().plan == plan


@pytest.mark.parametrize("command", [("sandbox_mint", "--email", "a@b", "--name", "x"), ("sandbox_plan", "free")])
def test_before_seeding_the_others_say_what_to_do(command: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="sandbox_seed"):
        _run(*command)


@pytest.mark.parametrize(
    "command", [("sandbox_seed",), ("sandbox_mint", "--email", "a@b", "--name", "x"), ("sandbox_plan", "free")]
)
def test_in_hosted_mode_every_command_refuses(settings: Any, command: tuple[str, ...]) -> None:
    settings.SANDBOX_MODE = False
    with pytest.raises(CommandError, match="HOURSMITH_API_URL"):
        _run(*command)
    assert not Organization.objects.exists()
