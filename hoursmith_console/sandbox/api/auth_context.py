"""Whom a request acts as, and what they may do."""

import uuid
from dataclasses import dataclass

from hoursmith_console.sandbox.models import Member, Organization, Role, Scope, Token

EVERYONE = frozenset(Role)
STAFF = frozenset({Role.OWNER, Role.ADMIN, Role.MANAGER})


@dataclass(frozen=True, slots=True)
class AuthContext:
    """The membership behind a token, as it is now."""

    token: Token

    @property
    def member(self) -> Member:
        return self.token.member

    @property
    def org(self) -> Organization:
        return self.token.member.org

    @property
    def org_id(self) -> uuid.UUID:
        return self.token.member.org_id

    @property
    def user_id(self) -> uuid.UUID:
        return self.token.member.user_id

    @property
    def role(self) -> Role:
        return Role(self.token.member.role)

    @property
    def is_limited(self) -> bool:
        """Members see their own corner of the workspace, and no money."""
        return self.role is Role.MEMBER

    def has(self, scope: Scope) -> bool:
        """Whether the token was minted for this."""
        return scope in self.token.scopes
