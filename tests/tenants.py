"""Two workspaces with everybody in each: every role, an auditor, one person in both; and two who are in none."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from hoursmith_console.sandbox import models as hoursmith
from hoursmith_console.sandbox.services import now
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member, Role, Workspace
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
from hoursmith_console.workspaces.viewer import WORKSPACE_KEY
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.records import make_token
from tests.reauthentication import trusted_client

PASSWORD = "correct horse battery staple"
ROLES = ("owner", "admin", "manager", "member", "auditor")
BOTH = "both"


@dataclass
class Tenant:
    """One workspace, here and at Hoursmith. `people` and their `tokens` by name; `mark` is in every name.

    `unseen` is the prefix of one more token of the owner's, with which nobody has called yet.
    """

    workspace: Workspace
    mark: str
    people: dict[str, Member] = field(default_factory=dict)
    tokens: dict[str, ObservedToken] = field(default_factory=dict)
    unseen: str = ""

    @property
    def prefixes(self) -> list[str]:
        """The prefixes of all its tokens."""
        return [self.unseen, *(token.prefix for token in self.tokens.values())]

    @property
    def org_id(self) -> str:
        return self.workspace.org_id


def tenant_create(mark: str, number: int, both: tuple[User, hoursmith.Person] | None = None) -> Tenant:
    """Return a new workspace with its people, each with an account, a token at Hoursmith and calls made with it.

    `number` tells the prefixes of its tokens from another's. `both` is somebody who has an account already.
    """
    org = hoursmith.Organization.objects.create(id=uuid.uuid4(), name=f"{mark} Ltd", created_at=now())
    tenant = Tenant(import_workspace(org_id=str(org.pk), name=f"{mark} Ltd", plan="agency"), mark)
    for place, name in enumerate((*ROLES, BOTH)):
        role = {"auditor": "MANAGER", BOTH: "ADMIN" if both is None else "MANAGER"}.get(name, name.upper())
        known = both if name == BOTH else None
        tenant.people[name] = _person(tenant, org, name, role, known)
        prefix = f"{number}{place}c1bdedf00{mark[-1].lower()}"
        tenant.tokens[name] = _token(tenant.people[name], prefix)
    tenant.unseen = f"{number}fc1bdedf00{mark[-1].lower()}"
    _mint(tenant.people["owner"], tenant.unseen)
    return tenant


def _person(
    tenant: Tenant, org: hoursmith.Organization, name: str, role: str, known: tuple[User, hoursmith.Person] | None
) -> Member:
    email = known[1].email if known else f"{name}@{tenant.mark.lower()}.example"
    user = known[1] if known else hoursmith.Person.objects.create(name=f"{tenant.mark} {name}", email=email)
    at_hoursmith = hoursmith.Member.objects.create(org=org, user=user, role=Role(role), created_at=now())
    member = import_member(
        workspace=tenant.workspace,
        member_id=str(at_hoursmith.pk),
        user_ref=str(user.pk),
        name=f"{tenant.mark} {name}",
        email=email,
        role=role,
    )
    if known is None:
        create_account(member=member, password=PASSWORD)
    else:
        member.user = known[0]
    member.is_auditor = name == "auditor"
    member.save()
    return member


def _mint(member: Member, prefix: str) -> None:
    """A token of the member's at Hoursmith."""
    hoursmith.Token.objects.create(
        member=hoursmith.Member.objects.get(pk=member.member_id),
        env="live",
        prefix=prefix,
        secret_hash=uuid.uuid4().hex * 2,
        name=f"{member.name}'s laptop",
        scopes=["read", "write"],
        created_at=now(),
    )


def _token(member: Member, prefix: str) -> ObservedToken:
    """A token that the member uses, known to Hoursmith, to the bridge and to the console."""
    _mint(member, prefix)
    claim_token(env="live", prefix=prefix, member=member, source="minted")
    return make_token(member.workspace.org_id, prefix, name=f"{member.name}'s laptop", role=member.role)


def two_tenants(ours: str, theirs: str) -> tuple[Tenant, Tenant]:
    """Return two workspaces with the marks `ours` and `theirs`, and one person in both."""
    first = tenant_create(ours, 1)
    both = first.people[BOTH]
    assert both.user is not None
    return first, tenant_create(theirs, 2, (both.user, hoursmith.Person.objects.get(email=both.email)))


def signed_in(user: User, workspace: Workspace | None = None) -> Client:
    """Return a browser of `user`, who gave their password a moment ago and looks at `workspace`."""
    client = trusted_client(user, Client(raise_request_exception=False))
    if workspace is not None:
        session = client.session
        session[WORKSPACE_KEY] = workspace.pk
        session.save()
    return client


@contextmanager
def undone(*aliases: str) -> Iterator[None]:
    """Take back in the databases what is done in the block."""
    with ExitStack() as stack:
        for alias in aliases:
            stack.enter_context(transaction.atomic(using=alias))
        yield
        for alias in aliases:
            transaction.set_rollback(True, using=alias)
