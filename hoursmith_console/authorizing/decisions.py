"""What the second page shows and sends back, and what happens when access is allowed."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import router, transaction

from hoursmith_console.authorizing.minting import NewToken, create_token
from hoursmith_console.authorizing.people import member_for
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.claims import CheckedToken, claim_checked
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.console_events import TokenNamed
from mcpbridge.grants import decisions
from mcpbridge.grants.carrying import Pending
from mcpbridge.grants.requests import AuthorizationRequest
from mcpbridge.models import Grant


@dataclass(frozen=True, slots=True)
class Decision:
    """A request with its token, or with one to be created for `member`. `text` carries it in a hidden field."""

    text: str = field(repr=False)
    pending: Pending | None = None
    new: NewToken | None = None
    member: Member | None = None

    @property
    def _chosen(self) -> Pending | NewToken:
        found = self.pending or self.new
        assert found is not None  # noqa: S101 – a decision has one of them
        return found

    @property
    def request(self) -> AuthorizationRequest:
        return self._chosen.request

    @property
    def lasts(self) -> timedelta:
        return self._chosen.lasts

    @property
    def is_read_only(self) -> bool:
        return self._chosen.is_read_only

    @property
    def workspace_name(self) -> str:
        """The workspace in which the assistant will act."""
        if self.pending:
            return self.pending.identity.org_name
        return self.member.workspace.name if self.member else ""

    @property
    def role(self) -> str:
        """The role with which it will act."""
        if self.pending:
            return self.pending.identity.role
        return self.member.role if self.member else ""


def allow(viewer: Viewer | None, decision: Decision, *, address: str, request_id: str) -> decisions.Allowed:
    """Create the grant, and with it the token or the claim on it, in one transaction; record who allowed it.

    `viewer` is the signed-in person, if any. Raises what `token_issuer` and `mcpbridge.grants.decisions.allow` raise;
    then nothing is created.
    """
    with current_issuer().all_or_nothing(), transaction.atomic(using=router.db_for_write(Grant)):
        if decision.new is not None and decision.member is not None:
            pending, actor = create_token(decision.new, decision.member), decision.member.display_identity
        else:
            assert decision.pending is not None  # noqa: S101 – a decision has one of them
            pending = decision.pending
            actor = _claim(viewer, pending)
        return decisions.allow(pending, actor=actor, address=address, request_id=request_id)


def _claim(viewer: Viewer | None, pending: Pending) -> str:
    """Claim the token for the signed-in person, and return who allows access."""
    identity, credential = pending.identity, pending.credential
    checked = CheckedToken(credential, identity.org_id, identity.org_name, identity.role, identity.token_name)
    member = member_for(viewer, checked)
    if member is None:
        # The holder of a token may use it; nothing else is known of them.
        return f"token hsk_{credential.env}_{credential.prefix}"
    token = TokenNamed(credential.env, credential.prefix, identity.token_name)
    claim_checked(member=member, token=token, actor=member.display_identity)
    return member.display_identity
