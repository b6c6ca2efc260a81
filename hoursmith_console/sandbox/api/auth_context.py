"""Membership that a request acts as, and its permissions."""

import uuid
from dataclasses import dataclass

from hoursmith_console.sandbox.models import Member, Organization, Role, Scope, Token

EVERYONE = frozenset(Role)
STAFF = frozenset({Role.OWNER, Role.ADMIN, Role.MANAGER})


@dataclass(frozen=True, slots=True)
class AuthContext:
    """Membership of a token, with its current role and projects."""

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
        """Whether the caller is a Member, who sees only their own records and no amounts."""
        return self.role is Role.MEMBER

    def has(self, scope: Scope) -> bool:
        """Return whether the token has this scope."""
        return scope in self.token.scopes
