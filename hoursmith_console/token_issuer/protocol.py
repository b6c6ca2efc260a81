"""Interface of token issuers."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


class UnknownMemberError(Exception):
    """The issuer has no member with this user id."""


class NotTokenOwnerError(Exception):
    """The token is valid, but the acting member may not revoke it."""


class MintingUnsupportedError(Exception):
    """Tokens are created and revoked only on Hoursmith's own page; the argument is its URL."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A new token with its plaintext. Its repr shows only the prefix."""

    env: str
    prefix: str
    plaintext: str = field(repr=False)

    @property
    def public(self) -> str:
        """Return the token prefix, which identifies the token but does not grant access."""
        return f"hsk_{self.env}_{self.prefix}"


class TokenIssuer(Protocol):
    """Create and revoke tokens, or name the page where users do."""

    @property
    def supports_minting(self) -> bool:
        """Whether `mint_token` and `revoke_token` are supported."""

    @property
    def page(self) -> str:
        """URL where users create and revoke tokens; empty if the console does it."""

    def mint_token(self, *, org_id: str, user_ref: str, name: str, scopes: Sequence[str]) -> MintedToken:
        """Mint a token for the member. Raises UnknownMemberError, MintingUnsupportedError."""

    def revoke_token(self, *, org_id: str, user_ref: str, env: str, prefix: str) -> bool:
        """Revoke the token from its next request, as the member `user_ref` of the workspace `org_id` may.

        Return False if it was no longer valid. Raises NotTokenOwnerError, MintingUnsupportedError.
        """

    def find_token_owner(self, *, env: str, prefix: str) -> str:
        """Return the user id of the token's owner; empty if the issuer does not name it."""

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Roll back tokens minted or revoked inside if the block raises."""
