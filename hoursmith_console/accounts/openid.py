"""Sign-in with OpenID Connect: who the provider says somebody is, checked as OpenID Connect Core 1.0 asks."""

from typing import Any

import jwt
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.sign_ins import account_event_record, sign_in_failure_record
from mcpbridge.audit import AuditUnavailableError

PROVIDER = "oidc"
# Signatures that only the provider can make; a shared secret or none at all would prove nothing.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KEPT = ("sub", "email", "email_verified", "name")


class CheckedIdentity(OpenIDConnectOAuth2Adapter):
    """Takes an identity only with a signature, from the configured issuer and for this client."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """The provider's own description, which must be the configured issuer's (OpenID Connect Discovery 1.0, 4.3)."""
        found: dict[str, Any] = super().openid_config
        if str(found.get("issuer", "")).rstrip("/") != settings.OIDC["issuer"]:
            raise OAuth2Error("The provider describes itself as another issuer.")
        return found

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Who signed in, by the signed id_token; the address from the userinfo where the token has none."""
        signed = kwargs["response"].get("id_token")
        if not signed:
            raise OAuth2Error("The provider gave no id_token.")
        claims = self._decode_id_token(app, signed)
        if "email" not in claims:
            more = self._fetch_user_info(token.token)
            # OpenID Connect Core 1.0, 5.3.2: else the answer may be somebody else's.
            if more.get("sub") != claims["sub"]:
                raise OAuth2Error("The userinfo is of another person than the id_token.")
            claims = {**more, **claims}
        kept = {name: claims[name] for name in _KEPT if name in claims}
        return self.get_provider().sociallogin_from_response(request, {"id_token": kept})

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        try:
            if jwt.get_unverified_header(id_token).get("alg") not in _ALGORITHMS:
                raise OAuth2Error("The id_token is not signed as it must be.")
            claims: dict[str, Any] = jwtkit.verify_and_decode(
                credential=id_token,
                keys_url=self.openid_config["jwks_uri"],
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                lookup_kid=jwtkit.lookup_kid_jwk,
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise OAuth2Error("The id_token cannot be read.") from error
        if not claims.get("sub") or claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("The id_token is not for this console.")
        return claims


class OpenIdAdapter(DefaultSocialAccountAdapter):
    """Lets in those whom the console knows by an address that the provider has verified, and nobody else."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        raise ImmediateHttpResponse(render(request, "account/openid_failed.html", status=401))

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find whose sign-in this is, or answer that it is nobody's."""
        is_new = not sociallogin.is_existing
        user = _known(sociallogin) if is_new else sociallogin.user
        address = get_account_adapter().get_client_ip(request)
        try:
            if user is None or not Member.objects.with_access().filter(user=user).exists():
                _refuse(request, sociallogin, address)
            elif is_new:
                with transaction.atomic():
                    sociallogin.connect(request, user)
                    account_event_record(user=user, action="console.openid_connect", address=address)
        except AuditUnavailableError:
            raise ImmediateHttpResponse(render(request, "503.html", status=503)) from None


def _known(sociallogin: SocialLogin) -> User | None:
    """The account with an address that the provider has verified."""
    verified = [each.email.lower() for each in sociallogin.email_addresses if each.verified is True]
    found = EmailAddress.objects.filter(email__in=verified, verified=True).select_related("user").first()
    return found.user if found is not None else None


def _refuse(request: HttpRequest, sociallogin: SocialLogin, address: str) -> None:
    for each in sociallogin.email_addresses[:1]:
        sign_in_failure_record(email=each.email, address=address, way="openid")
    raise ImmediateHttpResponse(render(request, "account/openid_unknown.html", status=403))
