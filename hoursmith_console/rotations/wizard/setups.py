"""The snippets of exactly those assistants that used the old token."""

from dataclasses import dataclass

from django.conf import settings

from hoursmith_console.connections.catalogue import CLIENTS
from hoursmith_console.connections.catalogue.mcp_client import Access
from hoursmith_console.connections.catalogue.pages import ClientSetup, client_setup
from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationPlace
from hoursmith_console.token_issuer.protocol import MintedToken


@dataclass(frozen=True, slots=True)
class PlaceSetup:
    """How one assistant gets the new token; `setup` is None where the catalogue does not know its client."""

    place: RotationPlace
    setup: ClientSetup | None
    address: str


def setups_of(rotation: Rotation, minted: MintedToken | None = None) -> list[PlaceSetup]:
    """One for each assistant that is still in use. Give `minted` only in the one answer that shows it."""
    places = [place for place in rotation.places.all() if place.given_up_at is None]
    slugs = [place.connection for place in places if place.connection]
    known = Connection.objects.filter(slug__in=slugs, workspace=rotation.workspace_id)
    accesses: dict[str, Access] = {each.slug: "readonly" if each.access == "readonly" else "full" for each in known}
    return [_setup(rotation, place, accesses.get(place.connection, "full"), minted) for place in places]


def _setup(rotation: Rotation, place: RotationPlace, access: Access, minted: MintedToken | None) -> PlaceSetup:
    address = f"{settings.PUBLIC_URL}/mcp/c/{place.connection}" if place.connection else f"{settings.PUBLIC_URL}/mcp"
    client = CLIENTS.get(place.client)
    if client is None:
        return PlaceSetup(place, None, address)
    prefix = minted.prefix if minted else rotation.new_prefix
    token = minted.plaintext if minted else None
    return PlaceSetup(
        place, client_setup(client, url=address, prefix=prefix or None, access=access, token=token), address
    )
