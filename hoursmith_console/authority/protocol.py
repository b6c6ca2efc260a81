"""What every authority over tokens can be asked."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


class UnknownMemberError(Exception):
    """The authority knows nobody by this user id."""


class NotMintedHereError(Exception):
    """Tokens of this service are minted and revoked on its own page alone; the argument is its address."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A new token, the only time it is whole. Its representation shows the public prefix alone."""

    env: str
    prefix: str
    plaintext: str = field(repr=False)

    @property
    def public(self) -> str:
        """The part that identifies and does not open."""
        return f"hsk_{self.env}_{self.prefix}"


class Authority(Protocol):
    """Mints and revokes tokens, or names the page where people do."""

    @property
    def can_mint(self) -> bool:
        """Whether `token_mint` and `token_revoke` work here."""

    @property
    def page(self) -> str:
        """The address where people mint and revoke by themselves; empty where they do it here."""

    def token_mint(self, *, org_id: str, user_ref: str, name: str, scopes: Sequence[str]) -> MintedToken:
        """Make a token for the member. Raises UnknownMemberError, NotMintedHereError."""

    def token_revoke(self, *, env: str, prefix: str) -> bool:
        """End the token from its next request on; False where it was no longer valid. Raises NotMintedHereError."""

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Take back what was minted or revoked inside, where the block ends with an exception."""
