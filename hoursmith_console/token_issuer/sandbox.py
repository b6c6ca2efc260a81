"""Token issuer of the embedded sandbox workspace."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from hoursmith_console.sandbox import services
from hoursmith_console.token_issuer.protocol import MintedToken, NotTokenOwnerError, UnknownMemberError


class SandboxTokenIssuer:
    """Token issuer for sandbox mode."""

    supports_minting = True
    page = ""

    def mint_token(self, *, org_id: str, user_ref: str, name: str, scopes: Sequence[str]) -> MintedToken:
        """Mint a token for the member. Raises UnknownMemberError."""
        try:
            member = services.member_by_user(org_id=org_id, user_ref=user_ref)
        except services.UnknownMemberError:
            raise UnknownMemberError from None
        minted = services.mint_token(member=member, name=name, scopes=scopes)
        return MintedToken(minted.env, minted.prefix, minted.plaintext)

    def revoke_token(self, *, org_id: str, user_ref: str, env: str, prefix: str) -> bool:
        """Revoke the token from its next request. Return False if it was no longer valid. Raises NotTokenOwnerError."""
        try:
            return services.revoke_token(org_id=org_id, user_ref=user_ref, env=env, prefix=prefix)
        except services.NotTokenOwnerError:
            raise NotTokenOwnerError from None

    def find_token_owner(self, *, env: str, prefix: str) -> str:
        """Return the user id of the token's owner; empty if there is no such token."""
        return services.find_token_owner(env=env, prefix=prefix)

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """Roll back tokens minted or revoked inside if the block raises."""
        return services.all_or_nothing()
