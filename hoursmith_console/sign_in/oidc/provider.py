"""Check the provider's responses as OpenID Connect Core 1.0 requires, and return the user they identify."""

import secrets
from typing import Any

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render

from hoursmith_console.accounts.addresses import normalize_email
from hoursmith_console.accounts.oidc_identities import OidcUser
from hoursmith_console.core.texts import is_storable
from hoursmith_console.sign_in.oidc.arrivals import resolve_sign_in

PROVIDER = "oidc"
# Ties the id_token to the browser that asked for it (OpenID Connect Core 1.0, 3.1.3.7, number 11).
NONCE = "console_oidc_nonce"
# Asymmetric signatures only: with a shared secret, or without a signature, others could sign too.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SUBJECT_LENGTH, _ADDRESS_LENGTH = 255, 254


def get_nonce(request: HttpRequest) -> str:
    """Return the nonce that id_tokens for this browser must contain."""
    nonce: str = request.session.setdefault(NONCE, secrets.token_urlsafe(16))
    return nonce


class OidcProviderAdapter(OpenIDConnectOAuth2Adapter):
    """Accept an identity only if signed by the configured issuer, for this client and this browser."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return the provider's metadata; it must name the configured issuer (OpenID Connect Discovery 1.0, 4.3)."""
        found: dict[str, Any] = super().openid_config
        if str(found.get("issuer", "")).rstrip("/") != settings.OIDC["issuer"]:
            raise OAuth2Error("The provider's metadata names another issuer.")
        return found

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Return the login that the signed id_token identifies; without an address in it, ask the userinfo endpoint."""
        signed = kwargs["response"].get("id_token")
        if not signed:
            raise OAuth2Error("The provider returned no id_token.")
        claims = self._verified_claims(app, signed)
        if not secrets.compare_digest(str(claims.get("nonce", "")), get_nonce(request)):
            raise OAuth2Error("The id_token is not for this browser.")
        kept = {"sub": claims["sub"], **_address(claims if "email" in claims else self._userinfo(token, claims))}
        return self.get_provider().sociallogin_from_response(request, {"id_token": kept})

    def _userinfo(self, token: Any, claims: dict[str, Any]) -> dict[str, Any]:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.profile_url, headers={"Authorization": f"Bearer {token.token}"})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        # OpenID Connect Core 1.0, 5.3.2: otherwise the response may be about another user.
        if found.get("sub") != claims["sub"]:
            raise OAuth2Error("The userinfo and the id_token name different users.")
        return found

    def _verified_claims(self, app: Any, id_token: str) -> dict[str, Any]:
        try:
            if jwt.get_unverified_header(id_token).get("alg") not in _ALGORITHMS:
                raise OAuth2Error("The id_token has no accepted signature.")
            claims: dict[str, Any] = jwtkit.verify_and_decode(
                credential=id_token,
                keys_url=self.openid_config["jwks_uri"],
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                lookup_kid=jwtkit.lookup_kid_jwk,
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise OAuth2Error("The id_token cannot be read.") from error
        subject = claims.get("sub")
        if not isinstance(subject, str) or not is_storable(subject, _SUBJECT_LENGTH):
            raise OAuth2Error("The id_token has no usable subject.")
        if claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("The id_token is not for this console.")
        return claims


def _address(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the address and whether it is verified, both from one source."""
    return {name: claims[name] for name in ("email", "email_verified") if name in claims}


class OidcAccountAdapter(DefaultSocialAccountAdapter):
    """Sign in accounts by issuer and subject; allauth's own social account table stays empty."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        raise ImmediateHttpResponse(render(request, "account/oidc_failed.html", status=401))

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find the account by issuer and subject, or respond with a refusal.

        An account that allauth found by the subject alone is ignored.
        """
        given = [normalize_email(each.email) for each in sociallogin.email_addresses if each.verified is True]
        verified = [email for email in given if is_storable(email, _ADDRESS_LENGTH)]
        oidc_user = OidcUser(settings.OIDC["issuer"], str(sociallogin.account.uid), verified[0] if verified else "")
        sociallogin.user = resolve_sign_in(request, oidc_user, sociallogin.state)
