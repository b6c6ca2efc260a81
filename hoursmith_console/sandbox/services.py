"""Changes to the workspace outside its API: mint and revoke tokens, change the plan."""

import secrets
import string
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from hoursmith_console.sandbox.api.tokens import secret_hash
from hoursmith_console.sandbox.models import Member, Organization, Role, Scope, Token

# Environment of the tokens minted here, as in the contract's example.
TOKEN_ENV = "live"  # noqa: S105 – not a secret
SECRET_LENGTH = 32
NAME_LENGTH = 100
_BASE62 = string.ascii_letters + string.digits


class UnknownMemberError(Exception):
    """No member of the workspace has this email address or user id."""


class NotTokenOwnerError(Exception):
    """The token is valid, but the acting member may not revoke it."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A new token with its plaintext. Its repr shows only the prefix."""

    env: str
    prefix: str
    member: Member
    plaintext: str = field(repr=False)


def mint_token(*, member: Member, name: str, scopes: Sequence[str]) -> MintedToken:
    """Mint a token that acts as `member`. Only a hash of its secret is stored."""
    prefix = secrets.token_hex(6)
    secret = "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))
    Token.objects.create(
        member=member,
        env=TOKEN_ENV,
        prefix=prefix,
        secret_hash=secret_hash(secret),
        name=name[:NAME_LENGTH],
        scopes=[scope for scope in Scope.values if scope in scopes],
        created_at=now(),
    )
    return MintedToken(TOKEN_ENV, prefix, member, f"hsk_{TOKEN_ENV}_{prefix}_{secret}")


def revoke_token(*, org_id: str, user_ref: str, env: str, prefix: str) -> bool:
    """Revoke the token from its next request, as the member `user_ref` of the workspace `org_id` may.

    As at Hoursmith, members may revoke their own tokens, Owners and Admins any of their workspace. Return False if
    the token is not valid. Raises NotTokenOwnerError if it is valid and the member may not revoke it.
    """
    working = Token.objects.filter(env=env, prefix=prefix, revoked_at=None)
    if working.filter(_within_reach(org_id, user_ref)).update(revoked_at=now()):
        return True
    if working.exists():
        raise NotTokenOwnerError
    return False


def _within_reach(org_id: str, user_ref: str) -> Q:
    """Return the condition for tokens that the member may revoke."""
    try:
        org, user = uuid.UUID(org_id), uuid.UUID(user_ref)
    except ValueError:
        return Q(pk__in=[])
    actors = Member.objects.filter(org_id=org, user_id=user, is_active=True)
    owned = Exists(actors.filter(pk=OuterRef("member_id")))
    administered = Exists(actors.filter(org_id=OuterRef("member__org_id"), role__in=(Role.OWNER, Role.ADMIN)))
    return Q(member__org_id=org) & (Q(owned) | Q(administered))


def find_token_owner(*, env: str, prefix: str) -> str:
    """Return the user id of the member the token acts as; empty if there is no such token."""
    owner = Token.objects.filter(env=env, prefix=prefix).values_list("member__user_id", flat=True).first()
    return str(owner or "")


def all_or_nothing() -> AbstractContextManager[None]:
    """Return a transaction on the sandbox's database."""
    return transaction.atomic(using=router.db_for_write(Token))


def change_plan(*, org: Organization, plan: str) -> None:
    """Change the plan of the workspace, effective from the next request."""
    org.plan = plan
    org.save(update_fields=["plan"])


def member_by_email(*, org: Organization, email: str) -> Member:
    """Return the active member of `org` with this address, ignoring case. Raises UnknownMemberError."""
    return _one_member(org=org, user__email__iexact=email.strip())


def member_by_user(*, org_id: str, user_ref: str) -> Member:
    """Return the active member of the workspace with this `userId`. Raises UnknownMemberError."""
    try:
        return _one_member(org_id=uuid.UUID(org_id), user_id=uuid.UUID(user_ref))
    except ValueError:
        raise UnknownMemberError from None


def _one_member(**who: Any) -> Member:
    member = Member.objects.select_related("user", "org").filter(is_active=True, **who).first()
    if member is None:
        raise UnknownMemberError
    return member


def now() -> datetime:
    """Return the current time in whole milliseconds, as the API shows them."""
    moment = timezone.now()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
