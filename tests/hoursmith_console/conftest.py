"""The cast of the page tests: four people of one workspace, one of another, and a passer-by.

Each came by a mailed link, so that their address is proven.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

# Loaded in sandbox mode, whichever mode the first test to ask for a page is in: addresses are made once.
import hoursmith_console.urls  # noqa: F401
from hoursmith_console.accounts.addresses import verify_address
from hoursmith_console.accounts.models import EmailVerification
from hoursmith_console.sandbox.console import console_member
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member, Workspace
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.records import make_token
from tests.hoursmith_console.sandbox.fixtures import World
from tests.hoursmith_console.sandbox_members import NAMES, Somebody, Town
from tests.reauthentication import trusted_client
from tests.replayed import Replayed

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "correct horse battery staple"
ROLES = ("owner", "admin", "manager", "member")


@dataclass
class Cast:
    """Everybody by name; `tokens` by the name of who they belong to."""

    workspace: Workspace
    other: Workspace
    people: dict[str, Member] = field(default_factory=dict)
    tokens: dict[str, ObservedToken] = field(default_factory=dict)

    @property
    def org_id(self) -> str:
        return self.workspace.org_id


def _cast() -> Cast:
    acme = import_workspace(org_id="org-acme", name="Acme Studio", plan="agency")
    globex = import_workspace(org_id="org-globex", name="Globex Ltd", plan="studio")
    made = Cast(acme, globex)
    for name in ROLES:
        made.people[name] = _person(acme, name, name.upper())
    made.people["outsider"] = _person(globex, "outsider", "OWNER")
    for number, (name, person) in enumerate(made.people.items()):
        prefix = f"{number}a2c1bdedf00"
        made.tokens[name] = make_token(person.workspace.org_id, prefix, name=f"{name}'s laptop", role=person.role)
        claim_token(env="live", prefix=prefix, member=person, source="minted")
    return made


_cast_again = Replayed(_cast)


@pytest.fixture
def cast(db: None) -> Cast:
    return _cast_again()


def _person(workspace: Workspace, name: str, role: str) -> Member:
    member = import_member(
        workspace=workspace,
        member_id=f"member-{name}",
        user_ref=f"user-{name}",
        name=f"{name.capitalize()} Person",
        email=f"{name}@example.com",
        role=role,
    )
    create_account(member=member, password=PASSWORD)
    verify_address(user=account_of(member), email=member.email, method=EmailVerification.Method.MAIL_LINK)
    return member


def account_of(member: Member) -> User:
    """The account that `member` signs in with."""
    assert isinstance(member.user, User)
    return member.user


@pytest.fixture
def browse(cast: Cast) -> Callable[[str], Client]:
    """A signed-in browser for somebody of the cast; `anonymous` is not signed in."""

    def signed_in(name: str) -> Client:
        client = Client()
        if name != "anonymous":
            user = cast.people[name].user
            assert user is not None
            client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def trusted(cast: Cast) -> Callable[[str], Client]:
    """A browser of somebody of the cast who has given their password a moment ago."""

    def signed_in(name: str) -> Client:
        return trusted_client(account_of(cast.people[name]))

    return signed_in


@pytest.fixture
def with_app(cast: Cast) -> Callable[[str], list[str]]:
    """Gives somebody of the cast an authenticator app with `SECRET`, and recovery codes, which it returns."""

    def give(name: str) -> list[str]:
        user = cast.people[name].user
        TOTP.activate(user, SECRET)
        codes: list[str] = RecoveryCodes.activate(user).generate_codes()
        return codes

    return give


@pytest.fixture
def settle(db: None) -> Callable[[str], Town]:
    """Makes everybody of a new workspace."""

    def make(name: str) -> Town:
        world, made = World(name), {}
        for who in NAMES:
            caller = world.caller(who)
            member = console_member(caller.member)
            create_account(member=member, password="correct horse battery staple")
            prefix = caller.token.split("_")[2]
            token = make_token(member.workspace.org_id, prefix, name=f"{who}'s laptop", role=member.role)
            claim_token(env="live", prefix=prefix, member=member, source="sandbox_mint")
            made[who] = Somebody(member, caller, token)
        return made

    return make


@pytest.fixture
def acme(settle: Callable[[str], Town]) -> Town:
    return settle("Acme")


@pytest.fixture
def globex(settle: Callable[[str], Town]) -> Town:
    return settle("Globex")
