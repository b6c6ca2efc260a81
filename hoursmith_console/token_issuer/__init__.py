"""Create and revoke tokens: in the sandbox, or by sending users to Hoursmith's own page.

Hoursmith's API has no endpoint for either (contract, section 2), so the console cannot do it in hosted mode.
"""

from django.conf import settings

from hoursmith_console.token_issuer.hosted import HostedTokenIssuer
from hoursmith_console.token_issuer.protocol import MintedToken, TokenIssuer
from hoursmith_console.token_issuer.sandbox import SandboxTokenIssuer

__all__ = ["HostedTokenIssuer", "MintedToken", "SandboxTokenIssuer", "TokenIssuer", "current_issuer"]


def current_issuer() -> TokenIssuer:
    """Return the token issuer of this installation."""
    if settings.SANDBOX_MODE:
        return SandboxTokenIssuer()
    return HostedTokenIssuer(page=settings.HOURSMITH_TOKENS_URL)
