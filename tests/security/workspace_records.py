"""One record of every kind in a workspace: where it is, what names it, and what must never be shown of it."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from django.db.models import Model
from django.utils.http import urlsafe_base64_encode
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from hoursmith_console.alerts.models import AlertChannel
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.connections.bundle import urlpatterns as bundle_patterns
from hoursmith_console.core.saved_views.models import SavedView
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.workspaces.invitations import invite
from hoursmith_console.workspaces.models import Invitation, Member, Workspace
from mcpbridge.models import LogDestination, ObservedToken
from tests.hoursmith_console.conftest import Cast
from tests.page_urls import filled
from tests.security.conftest import populate
from tests.signed_trees import sign_tree
from tests.tenants import BOTH, Tenant

# Routes that are patterns of their own and name no record, with an address that each takes.
SAMPLES = {
    r"^\.well-known/oauth-protected-resource(?P<path>/.*)?$": "/.well-known/oauth-protected-resource/mcp",
    r"^\.well-known/(?:oauth-authorization-server|openid-configuration)(?P<path>/.*)?$": (
        "/.well-known/openid-configuration"
    ),
    r"sandbox/api/\A[\s\S]*\Z": "/sandbox/api/v1/nothing",
    # It repeats the id of a connection, whether there is one or not.
    str(bundle_patterns[0].pattern): "/connect/c/nothing-here/readonly/hoursmith.mcpb",
}
_KEY = re.compile(r"<(?:\w+:)?(?P<name>\w+)>")


@dataclass(frozen=True)
class Records:
    """What fits the keys of every route; what a person could type to mean this workspace; what nobody else sees."""

    keys: dict[str, dict[str, str]]
    made: dict[type[Model], str]
    named: dict[str, str]
    texts: list[str]
    secrets: list[str]
    name: str

    @property
    def query(self) -> str:
        """What an address could name it with."""
        return urlencode({"token": self.texts[2], **self.named})

    @property
    def numbers(self) -> list[str]:
        """Keys of records of every kind."""
        return sorted(set(self.made.values()))

    def key_of(self, model: type[Model]) -> str:
        """The key of a record of the kind."""
        assert model in self.made, f"Let `records_of` name a {model._meta.label}: a form asks for one."
        return self.made[model]

    def address(self, route: str) -> str:
        """`route` with the keys of a record that is there, by the longest address that it begins with."""
        if route in SAMPLES:
            return SAMPLES[route]
        if "<" not in route:
            return filled(route)
        areas = [area for area in self.keys if route.startswith(area)]
        assert areas, f"Let `records_of` make a record for {route}, so that it is walked too."
        given = self.keys[max(areas, key=len)]
        unknown = set(_KEY.findall(route)) - set(given)
        assert not unknown, f"Let `records_of` say what fits {unknown} in {route}."
        return "/" + _KEY.sub(lambda key: given[key["name"]], route)


def records_of(tenant: Tenant) -> Records:
    """Make one record of every kind in the workspace of `tenant`."""
    owner, token = tenant.people["owner"], tenant.tokens["owner"]
    made = populate(Cast(tenant.workspace, tenant.workspace), tenant.workspace, owner, token, tenant.mark)
    for one in (tenant.workspace, owner, token):
        one.refresh_from_db()
    # Whoever is in both workspaces sees the names of both.
    tenant.workspace.name = f"Studio {tenant.org_id[:8]}"
    tenant.workspace.save()
    passkey = Authenticator.objects.create(
        user=owner.user, type=Authenticator.Type.WEBAUTHN, data={"name": tenant.mark, "credential": _credential()}
    )
    keys = {area: {"key": key, "member": key} for area, key in made.keys.items()}
    keys["accounts/2fa/passkeys/"] = {"pk": str(passkey.pk)}
    # Only a watch key opens it, which no visitor has.
    origin = sign_tree(tenant.org_id).origin
    keys["audit/log/"] = {"log": hashlib.sha256(origin.encode()).hexdigest(), "path": "checkpoint"}
    # The help is the same for all workspaces.
    keys["help/"] = {"name": "nothing-here"}
    # Whoever has the secret of a link may use it, so what is in the address here is none.
    keys["accounts/invitation/"] = {"secret": "0" * 32}
    keys["accounts/recovery/"] = {
        "uidb64": urlsafe_base64_encode(str(owner.user_id).encode()),
        "token": "set-password",
    }
    invited = f"invited@{tenant.mark.lower()}.example"
    invite(
        workspace=tenant.workspace,
        email=invited,
        role="MEMBER",
        channel=Invitation.Channel.CONSOLE,
        actor=owner.display_identity,
        allow_unlisted=True,
    )
    keys["sandbox/api/"] = {"segment": "0b6fd4f6-0000-4000-8000-000000000001"}
    public = f"{token.env}_{token.prefix}"
    made_keys = {
        Member: str(owner.pk),
        ObservedToken: str(token.pk),
        Rotation: made.keys["rotations/"],
        Campaign: made.keys["rotations/campaigns/"],
        LeakReport: made.keys["rotations/leaked-tokens/"],
        LogDestination: made.keys["audit/destinations/"],
        AlertChannel: made.keys["alerts/channels/"],
        SavedView: made.keys["tokens/views/"],
        Workspace: str(tenant.workspace.pk),
    }
    named = {
        "workspace": str(tenant.workspace.pk),
        "member": str(owner.pk),
        "owner": str(owner.pk),
        "connection": made.keys["connections/"],
        "email": owner.email,
        "login": owner.email,
        "t": public,
        "q": tenant.mark,
    }
    unseen = f"hsk_{token.env}_{tenant.unseen}"
    slug, call = made.keys["connections/"], made.keys["audit/"]
    texts = [f"hsk_{public}", unseen, public, str(token.pk), owner.email, slug, call]
    hidden = [tenant.mark, tenant.org_id, slug, *tenant.prefixes]
    hidden += [invited, *(person.email for name, person in tenant.people.items() if name != BOTH)]
    return Records(keys, made_keys, named, texts, hidden, tenant.workspace.name)


def _credential() -> dict[str, Any]:
    """What a browser answers when a passkey is made."""
    key: Any = ES256.from_cryptography_key(  # type: ignore[no-untyped-call]
        ec.generate_private_key(ec.SECP256R1()).public_key()
    )
    made = AttestedCredentialData.create(Aaguid.NONE, secrets.token_bytes(16), key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT
    about = AuthenticatorData.create(hashlib.sha256(b"testserver").digest(), flags, 0, made)
    said = CollectedClientData.create(CollectedClientData.TYPE.CREATE, secrets.token_bytes(16), "http://testserver")
    response = {
        "clientDataJSON": websafe_encode(said),
        "attestationObject": websafe_encode(AttestationObject.create("none", about, {})),
    }
    name = websafe_encode(made.credential_id)
    return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
