"""Which account signs in as which user of an OpenID Connect provider.

Issuer and subject together are the identity (OpenID Connect Core 1.0, 5.7). An e-mail address is never one: it may
lead an identity to an account once, under the conditions of `match_account`, and only a verified address does.
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
    """Who a provider says somebody is. `email` is empty where the provider has not verified it."""

    issuer: str
    subject: str
    email: str


class AccountMatch(Enum):
    """What a verified address says about an identity that no account has yet."""

    NONE = "no account uses the address"
    CONNECT = "the identity may be connected to the account"
    LINK_REQUIRED = "the account's user must link the identity from inside"
    UNVERIFIED = "an account uses the address, but nobody proved it"


def find_identity_user(oidc_user: OidcUser) -> User | None:
    """Return the account that has this identity."""
    found = (
        OidcIdentity.objects.filter(issuer=oidc_user.issuer, subject=oidc_user.subject).select_related("user").first()
    )
    return found.user if found is not None else None


def match_account(oidc_user: OidcUser) -> tuple[AccountMatch, User | None]:
    """Return whether the identity may be connected to the account that its verified address names.

    Only where the account has no identity, and its user proved the address or nobody ever used the account.
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
    """Let the identity sign in to the account. Raises IdentityTakenError where another account has it."""
    try:
        with transaction.atomic(using=router.db_for_write(OidcIdentity)):
            OidcIdentity.objects.create(
                user=user, issuer=oidc_user.issuer, subject=oidc_user.subject, label=oidc_user.email
            )
    except IntegrityError:
        raise IdentityTakenError(oidc_user.subject) from None
    record_identity_use(user=user, oidc_user=oidc_user)


def record_identity_use(*, user: User, oidc_user: OidcUser) -> None:
    """Note that the identity was used, and what its provider says now of the account's addresses.

    It proves an address that the account uses already and gives it no other: a provider may be late to hear that an
    address has moved. Where it names another one than before, what it vouched for before is proven no longer.
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
            # Another account proved it. This one is found by its identity.
            return


def unlink_identity(*, user: User, key: int) -> OidcIdentity | None:
    """Let an identity of the account sign in no longer; return it, None where the account has none with that key."""
    found = OidcIdentity.objects.filter(user=user, pk=key).first()
    if found is not None:
        OidcIdentity.objects.filter(pk=found.pk).delete()
    return found
