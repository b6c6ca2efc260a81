"""Who mints and revokes tokens: the sandbox itself, or Hoursmith's own page, to which the console then guides.

Hoursmith's API has no endpoint for either (contract, section 2), so in hosted mode nobody here can do it.
"""

from django.conf import settings

from hoursmith_console.token_issuer.hosted import HostedAuthority
from hoursmith_console.token_issuer.protocol import Authority, MintedToken
from hoursmith_console.token_issuer.sandbox import SandboxAuthority

__all__ = ["Authority", "HostedAuthority", "MintedToken", "SandboxAuthority", "current_authority"]


def current_authority() -> Authority:
    """The authority of the service that the console stands in front of."""
    if settings.SANDBOX_MODE:
        return SandboxAuthority()
    return HostedAuthority(page=settings.HOURSMITH_TOKENS_URL)
