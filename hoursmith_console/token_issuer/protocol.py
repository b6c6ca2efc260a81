"""What every authority over tokens can be asked."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


class UnknownMemberError(Exception):
    """The authority knows nobody by this user id."""


class NotTokenOwnerError(Exception):
    """The token works, and the acting member may not end it."""


class MintingUnsupportedError(Exception):
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


class TokenIssuer(Protocol):
    """Mints and revokes tokens, or names the page where people do."""

    @property
    def supports_minting(self) -> bool:
        """Whether `mint_token` and `revoke_token` work here."""

    @property
    def page(self) -> str:
        """The address where people mint and revoke by themselves; empty where they do it here."""

    def mint_token(self, *, org_id: str, user_ref: str, name: str, scopes: Sequence[str]) -> MintedToken:
        """Make a token for the member. Raises UnknownMemberError, MintingUnsupportedError."""

    def revoke_token(self, *, org_id: str, user_ref: str, env: str, prefix: str) -> bool:
        """End the token from its next request on, as the member `user_ref` of the workspace `org_id` may.

        Return False where it was no longer valid. Raises NotTokenOwnerError, MintingUnsupportedError.
        """

    def find_token_owner(self, *, env: str, prefix: str) -> str:
        """Return the user id of whom the token acts as; empty where the authority does not tell."""

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Take back what was minted or revoked inside, where the block ends with an exception."""
