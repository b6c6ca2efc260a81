"""Two workspaces of the sandbox, whose members sign in to the console and whose tokens really work."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client

from hoursmith_console.sandbox.console import console_member
from hoursmith_console.tokens.services import token_claim
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import account_create
from mcpbridge.models import SeenToken
from tests.hoursmith_console.records import make_token
from tests.hoursmith_console.sandbox.world import Caller, World

NAMES = ("owner", "admin", "manager", "member", "other_member")


@dataclass
class Somebody:
    """A member with an account, a working token that is claimed, and a browser."""

    member: Member
    caller: Caller
    token: SeenToken

    @property
    def public(self) -> str:
        return f"hsk_live_{self.token.prefix}"

    @property
    def works(self) -> bool:
        """Whether Hoursmith accepts their token."""
        return bool(self.caller.get("/me").status_code == 200)

    def browser(self) -> Client:
        """A browser in which they gave their password a moment ago."""
        client, user = Client(), self.member.user
        assert user is not None
        client.force_login(user)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
        session["account_authentication_methods_user"] = str(user.pk)
        session.save()
        return client


Town = dict[str, Somebody]


@pytest.fixture
def settle(db: None) -> Callable[[str], Town]:
    """Makes everybody of a new workspace."""

    def make(name: str) -> Town:
        world, made = World(name), {}
        for who in NAMES:
            caller = world.caller(who)
            member = console_member(caller.member)
            account_create(member=member, password="correct horse battery staple")
            prefix = caller.token.split("_")[2]
            token = make_token(member.workspace.org_id, prefix, name=f"{who}'s laptop", role=member.role)
            token_claim(env="live", prefix=prefix, member=member, source="sandbox_mint")
            made[who] = Somebody(member, caller, token)
        return made

    return make


@pytest.fixture
def acme(settle: Callable[[str], Town]) -> Town:
    return settle("Acme")


@pytest.fixture
def globex(settle: Callable[[str], Town]) -> Town:
    return settle("Globex")
