"""Who mints and revokes tokens: the sandbox itself, or Hoursmith's own page, to which the console then guides.

Hoursmith's API has no endpoint for either (contract, section 2), so in hosted mode nobody here can do it.
"""

from django.conf import settings

from hoursmith_console.token_issuer.hosted import HostedTokenIssuer
from hoursmith_console.token_issuer.protocol import MintedToken, TokenIssuer
from hoursmith_console.token_issuer.sandbox import SandboxTokenIssuer

__all__ = ["HostedTokenIssuer", "MintedToken", "SandboxTokenIssuer", "TokenIssuer", "current_issuer"]


def current_issuer() -> TokenIssuer:
    """The issuer of the service that the console stands in front of."""
    if settings.SANDBOX_MODE:
        return SandboxTokenIssuer()
    return HostedTokenIssuer(page=settings.HOURSMITH_TOKENS_URL)
