"""Hoursmith's own page mints and revokes; the console only leads there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from hoursmith_console.token_issuer.protocol import MintedToken, NotMintedHereError


class HostedAuthority:
    """The authority in front of the hosted service; `page` is where people mint and revoke."""

    can_mint = False

    def __init__(self, *, page: str) -> None:
        self.page = page

    def token_mint(self, *, org_id: str, user_ref: str, name: str, scopes: Sequence[str]) -> MintedToken:
        """Raise NotMintedHereError."""
        raise NotMintedHereError(self.page)

    def token_revoke(self, *, org_id: str, user_ref: str, env: str, prefix: str) -> bool:
        """Raise NotMintedHereError."""
        raise NotMintedHereError(self.page)

    def token_owner(self, *, env: str, prefix: str) -> str:
        """Return nothing: Hoursmith names no person."""
        return ""

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Nothing, since nothing is done here that could be taken back."""
        return nullcontext()
