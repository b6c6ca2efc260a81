"""Register assistants by hand, and record it."""

import time
from dataclasses import dataclass, field

from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import record_event
from mcpbridge.grants.registration import Method, client_secret, register


@dataclass(frozen=True, slots=True)
class RegisteredAssistant:
    """A client id with its secret, for the one response that shows them."""

    client_id: str
    secret: str = field(repr=False)


def register_by_hand(*, member: Member, name: str, redirects: list[str]) -> RegisteredAssistant:
    """Return a new client id and secret for the assistant `name`, whose answers go to `redirects`.

    Raises `registration.NoRedirectError`, or AuditUnavailableError.
    """
    made, accepted = register(name=name, redirects=redirects, method=Method.SECRET, now=time.time())
    record_event(
        org_id=member.workspace.org_id,
        org_name=member.workspace.name,
        action="console.connection_register",
        actor=member.display_identity,
        target_type="assistant",
        target_label=name,
        details={"redirects": accepted},
    )
    return RegisteredAssistant(made.client_id, client_secret(made.client_id))
