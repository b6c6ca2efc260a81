"""Create, change and remove connections. Each change is committed together with its audit entry."""

from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.models import Access, Connection
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import mint_token
from hoursmith_console.token_issuer.protocol import MintedToken
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.activity.connections import open_connection
from mcpbridge.audit.console_events import record_event

SCOPES = {Access.FULL: ("read", "write"), Access.READ_ONLY: ("read",)}


class UnknownClientError(Exception):
    """The catalogue does not list the client."""


def create_connection(
    *, workspace: Workspace, owner: Member, client: str, label: str, access: str, actor: str
) -> Connection:
    """Create a connection of `owner` at a new address.

    Raises UnknownClientError or AuditUnavailableError; then nothing is created.
    """
    if client not in MCP_CLIENTS:
        raise UnknownClientError(client)
    if owner.workspace_id != workspace.pk:
        raise ValueError("A connection belongs to a member of its own workspace.")
    with transaction.atomic(using=router.db_for_write(Connection)):
        connection = Connection.objects.create(
            workspace=workspace,
            owner=owner,
            slug=open_connection(org_id=workspace.org_id).slug,
            client=client,
            label=label,
            access=Access(access),
        )
        details = {"for": owner.display_identity, "client": client, "access": connection.access}
        _record(connection, "console.connection_create", actor, details)
    return connection


def connect_with_token(
    *, owner: Member, client: str, label: str, access: str, form: str
) -> tuple[Connection, MintedToken]:
    """Create a connection of `owner` and a token for it, both or neither. `form` is the one-use form mark.

    Raises what `create_connection` and `token_issuer.minting.mint_token` raise; then nothing is created.
    """
    actor = owner.display_identity
    with current_issuer().all_or_nothing(), transaction.atomic(using=router.db_for_write(Connection)):
        connection = create_connection(
            workspace=owner.workspace, owner=owner, client=client, label=label, access=access, actor=actor
        )
        minted = mint_token(member=owner, name=label, scopes=SCOPES[Access(access)], form=form, actor=actor)
    return connection, minted


def change_connection(*, connection: Connection, label: str, access: str, actor: str) -> bool:
    """Set label and access; return False if nothing changed.

    The assistant's configuration is not changed: with another access, the user must update its address.
    Raises AuditUnavailableError; then nothing is changed.
    """
    before = {"label": connection.label, "access": connection.access}
    after = {"label": label, "access": str(Access(access))}
    changes = {name: f"{before[name]} → {after[name]}" for name in before if before[name] != after[name]}
    if not changes:
        return False
    with transaction.atomic(using=router.db_for_write(Connection)):
        connection.label, connection.access = after["label"], after["access"]
        connection.save(update_fields=["label", "access"])
        _record(connection, "console.connection_change", actor, changes)
    return True


def remove_connection(*, connection: Connection, actor: str) -> bool:
    """Mark the connection as removed; return False if it was. Its token and calls are kept.

    Raises AuditUnavailableError; then nothing is changed.
    """
    with transaction.atomic(using=router.db_for_write(Connection)):
        now = timezone.now()
        if not Connection.objects.filter(pk=connection.pk, removed_at=None).update(removed_at=now):
            return False
        connection.removed_at = now
        _record(connection, "console.connection_remove", actor, {"for": connection.owner.display_identity})
    return True


def connection_url(connection: Connection) -> str:
    """Return the connection's address, without the suffix for read-only access."""
    return f"{settings.PUBLIC_URL}/mcp/c/{connection.slug}"


def _record(connection: Connection, action: str, actor: str, details: dict[str, str]) -> None:
    record_event(
        org_id=connection.workspace.org_id,
        org_name=connection.workspace.name,
        action=action,
        actor=actor,
        target_type="connection",
        target_id=connection.slug,
        target_label=connection.label,
        details=details,
    )
