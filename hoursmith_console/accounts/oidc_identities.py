"""Links between accounts and users of an OpenID Connect provider.

Issuer and subject together identify a user (OpenID Connect Core 1.0, 5.7). An email address never does: a verified one
may match an unlinked identity to an account once, under the conditions of `match_account`.
"""

from dataclasses import dataclass
from enum import Enum

from django.contrib.auth.models import User
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from hoursmith_console.accounts.addresses import (
    AddressTakenError,
    find_unverified_accounts,
    find_verified_account,
    get_email_verification,
    is_unused,
    unverify_address,
    uses_address,
    verify_address,
)
from hoursmith_console.accounts.models import EmailVerification, OidcIdentity


class IdentityTakenError(Exception):
    """The identity belongs to another account."""


@dataclass(frozen=True, slots=True)
class OidcUser:
    """A user as the provider identifies them. `email` is empty unless the provider verified it."""

    issuer: str
    subject: str
    email: str


class AccountMatch(Enum):
    """Result of matching an unlinked identity to an account by its verified address."""

    NONE = "no account uses the address"
    CONNECT = "the identity may be connected to the account"
    LINK_REQUIRED = "the account's user must sign in and link the identity"
    UNVERIFIED = "an account uses the address, unverified"


def find_identity_user(oidc_user: OidcUser) -> User | None:
    """Return the account that has this identity."""
    found = (
        OidcIdentity.objects.filter(issuer=oidc_user.issuer, subject=oidc_user.subject).select_related("user").first()
    )
    return found.user if found is not None else None


def match_account(oidc_user: OidcUser) -> tuple[AccountMatch, User | None]:
    """Return whether the identity may be connected to the account with its verified address, and that account.

    It may if the account has no identity yet, and has verified the address or was never used.
    """
    if not oidc_user.email:
        return AccountMatch.NONE, None
    user = find_verified_account(oidc_user.email)
    claiming = [] if user is not None else find_unverified_accounts(oidc_user.email)
    if user is None and not claiming:
        return AccountMatch.NONE, None
    if user is None and len(claiming) == 1 and is_unused(claiming[0]):
        user = claiming[0]
    if user is None:
        return AccountMatch.UNVERIFIED, None
    return (AccountMatch.LINK_REQUIRED if user.oidc_identities.exists() else AccountMatch.CONNECT), user


def link_identity(*, user: User, oidc_user: OidcUser) -> None:
    """Let the identity sign in to the account. Raises IdentityTakenError if another account has it."""
    try:
        with transaction.atomic(using=router.db_for_write(OidcIdentity)):
            OidcIdentity.objects.create(
                user=user, issuer=oidc_user.issuer, subject=oidc_user.subject, label=oidc_user.email
            )
    except IntegrityError:
        raise IdentityTakenError(oidc_user.subject) from None
    record_identity_use(user=user, oidc_user=oidc_user)


def record_identity_use(*, user: User, oidc_user: OidcUser) -> None:
    """Record that the identity was used, and what its provider now says about the account's address.

    Verify an address that the account already uses, but never add one, since a provider's data may be outdated. If
    the provider names another address than before, delete its verification of the former one.
    """
    known = OidcIdentity.objects.filter(issuer=oidc_user.issuer, subject=oidc_user.subject)
    before = known.values_list("label", flat=True).first() or ""
    known.update(label=oidc_user.email, used_at=timezone.now())
    if before and before != oidc_user.email:
        proof = get_email_verification(user, before)
        if proof is not None and (proof.method, proof.issuer) == (EmailVerification.Method.OIDC, oidc_user.issuer):
            unverify_address(user=user, email=before)
    if oidc_user.email and uses_address(user=user, email=oidc_user.email):
        try:
            verify_address(
                user=user, email=oidc_user.email, method=EmailVerification.Method.OIDC, issuer=oidc_user.issuer
            )
        except AddressTakenError:
            # Another account verified it. This account is found by its identity.
            return


def unlink_identity(*, user: User, key: int) -> OidcIdentity | None:
    """Unlink an identity from the account and return it; None if the account has no identity with that key."""
    found = OidcIdentity.objects.filter(user=user, pk=key).first()
    if found is not None:
        OidcIdentity.objects.filter(pk=found.pk).delete()
    return found
