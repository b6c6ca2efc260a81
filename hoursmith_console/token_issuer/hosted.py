"""Hoursmith's own page mints and revokes; the console only leads there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError


class HostedTokenIssuer:
    """The issuer in front of the hosted service; `page` is where people mint and revoke."""

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
        """Return nothing: Hoursmith names no person."""
        return ""

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Nothing, since nothing is done here that could be taken back."""
        return nullcontext()
