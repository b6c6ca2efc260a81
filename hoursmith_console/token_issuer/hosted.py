"""Token issuer of the hosted service: users create and revoke tokens on Hoursmith's own page."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError


class HostedTokenIssuer:
    """Token issuer for hosted mode; `page` is the URL where users create and revoke tokens."""

    supports_minting = False

    def __init__(self, *, page: str) -> None:
        self.page = page

    def mint_token(self, *, org_id: str, user_ref: str, name: str, scopes: Sequence[str]) -> MintedToken:
        """Raise MintingUnsupportedError."""
        raise MintingUnsupportedError(self.page)

    def revoke_token(self, *, org_id: str, user_ref: str, env: str, prefix: str) -> bool:
        """Raise MintingUnsupportedError."""
        raise MintingUnsupportedError(self.page)

    def find_token_owner(self, *, env: str, prefix: str) -> str:
        """Return an empty string: Hoursmith does not name the owner."""
        return ""

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Return a context manager that does nothing, since nothing can be rolled back."""
        return nullcontext()
