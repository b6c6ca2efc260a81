"""Two workspaces of the sandbox, whose members sign in to the console and whose tokens really work."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.test import Client

from hoursmith_console.workspaces.models import Member
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.sandbox.fixtures import Caller
from tests.reauthentication import trusted_client

NAMES = ("owner", "admin", "manager", "member", "other_member")


@dataclass
class Somebody:
    """A member with an account, a working token that is claimed, and a browser."""

    member: Member
    caller: Caller
    token: ObservedToken

    @property
    def public(self) -> str:
        return f"hsk_live_{self.token.prefix}"

    @property
    def works(self) -> bool:
        """Whether Hoursmith accepts their token."""
        return bool(self.caller.get("/me").status_code == 200)

    def browser(self) -> Client:
        """A browser in which they gave their password a moment ago."""
        assert isinstance(self.member.user, User)
        return trusted_client(self.member.user)


Town = dict[str, Somebody]
