"""Configuration snippets for the assistants that used the old token."""

from collections.abc import Container
from dataclasses import dataclass

from django.conf import settings

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.catalogue.mcp_client import Access
from hoursmith_console.connections.catalogue.pages import ClientSetup, client_setup
from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationTarget
from hoursmith_console.rotations.progress.grants import old_grants
from hoursmith_console.token_issuer.protocol import MintedToken
from mcpbridge.models import Grant


@dataclass(frozen=True, slots=True)
class TargetSetup:
    """Setup of one assistant; `setup` is None if the catalogue does not know its client.

    `grant` is set for an assistant that signed in: it gets the new token by being connected again.
    """

    target: RotationTarget
    setup: ClientSetup | None
    address: str
    grant: Grant | None = None


def setups_of(rotation: Rotation, minted: MintedToken | None = None) -> list[TargetSetup]:
    """Return the setup of each assistant still in use. Pass `minted` only in the one response that shows it."""
    targets = [target for target in rotation.targets.all() if target.unused_at is None]
    slugs = [target.connection for target in targets if target.connection]
    known = Connection.objects.filter(slug__in=slugs, workspace=rotation.workspace_id)
    accesses: dict[str, Access] = {each.slug: "readonly" if each.access == "readonly" else "full" for each in known}
    grants = {grant.connection: grant for grant in old_grants(rotation)}
    return [
        TargetSetup(target, None, _address(target, accesses), grants[target.connection])
        if target.connection in grants
        else _setup(rotation, target, accesses.get(target.connection, "full"), minted)
        for target in targets
    ]


def _address(target: RotationTarget, known: Container[str]) -> str:
    """Return the address that the assistant calls; the connection of a grant has none of its own."""
    is_own = target.connection and target.connection in known
    return f"{settings.PUBLIC_URL}/mcp/c/{target.connection}" if is_own else f"{settings.PUBLIC_URL}/mcp"


def _setup(rotation: Rotation, target: RotationTarget, access: Access, minted: MintedToken | None) -> TargetSetup:
    address = f"{settings.PUBLIC_URL}/mcp/c/{target.connection}" if target.connection else f"{settings.PUBLIC_URL}/mcp"
    client = MCP_CLIENTS.get(target.client)
    if client is None:
        return TargetSetup(target, None, address)
    prefix = minted.prefix if minted else rotation.new_prefix
    token = minted.plaintext if minted else None
    return TargetSetup(
        target, client_setup(client, url=address, prefix=prefix or None, access=access, token=token), address
    )
