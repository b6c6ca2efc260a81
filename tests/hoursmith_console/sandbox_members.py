"""Two workspaces of the sandbox, whose members sign in to the console and whose tokens really work."""

import time
from dataclasses import dataclass

from django.test import Client

from hoursmith_console.workspaces.models import Member
from mcpbridge.models import SeenToken
from tests.hoursmith_console.sandbox.fixtures import Caller

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
