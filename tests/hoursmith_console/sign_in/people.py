"""People who sign in, codes as their apps would show them, and what the record says of it."""

import time
from io import StringIO
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import PASSWORD, SECRET, Cast
from tests.oidc_provider import visit


def code_now(secret: str = SECRET) -> str:
    """The code that an app with `secret` shows at this moment."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def told(org_id: str = "org-acme") -> list[str]:
    """The actions in the workspace's record, in their order."""
    rows = AuditEvent.objects.filter(org_id=org_id, phase="event").order_by("sequence")
    return [row.tool.removeprefix("console.") for row in rows]


def password_given(name: str, client: Client | None = None) -> Client:
    """A browser in which somebody of the cast has given their password."""
    client = client or Client()
    answer = client.post("/accounts/login/", {"login": f"{name}@example.com", "password": PASSWORD})
    assert answer.status_code == 302, answer.content.decode()
    return client


def by_openid(client: Client, **form: str) -> Any:
    """Sign in at the provider that is set up, and come back; what the console then answers."""
    return visit(client, **form)


def operators_link(email: str, role: str, workspace: Workspace, *more: str) -> str:
    """The path of the link that an operator's command prints."""
    printed = StringIO()
    given = ["--email", email, "--role", role, "--workspace", workspace.org_id, "--force", *more]
    call_command("console_invite", *given, stdout=printed, stderr=StringIO())
    return printed.getvalue().strip().removeprefix(settings.PUBLIC_URL)


def is_in(client: Client) -> bool:
    """Whether the browser sees the overview."""
    return client.get("/").status_code == 200


def old(client: Client) -> Client:
    """The same browser when its sign-in is no longer a recent one."""
    session, key = client.session, "account_authentication_methods"
    ago = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT + 1
    session[key] = [{**step, "at": step["at"] - ago} for step in session[key]]
    session.save()
    return client


def recent(client: Client) -> Client:
    """The same browser after its person has shown once more that it is they."""
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert answer.status_code == 302, answer.content.decode()
    return client


def factors(cast: Cast, name: str) -> list[str]:
    """The kinds of second factor that somebody has."""
    return sorted(Authenticator.objects.filter(user=cast.people[name].user).values_list("type", flat=True))
