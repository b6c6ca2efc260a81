"""Email addresses of accounts: which account uses one, and whether its user verified it.

An unverified address is only a sign-in name. Invitations, OpenID Connect and password resets find accounts by verified
addresses alone. Links printed for an operator, and the sandbox's sign-ins, verify nothing.
"""

from collections.abc import Sequence
from typing import cast

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import IntegrityError, router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.accounts.models import EmailVerification


class AddressTakenError(Exception):
    """Another account uses the address."""


def normalize_email(text: str) -> str:
    """Return the address `text` in the form in which addresses are stored and compared.

    Lower-case only letters whose lower case adds no ASCII letter: the Kelvin sign does not become "k", nor "ß" "ss",
    since those are other mailboxes.
    """
    return "".join(_lower(letter) for letter in text.strip())


def _lower(letter: str) -> str:
    lower = letter.lower()
    return lower if letter.isascii() or not any(part.isascii() for part in lower) else letter


def find_verified_account(email: str) -> User | None:
    """Return the account whose user verified `email`."""
    found = _holders(email).filter(verified=True, verification__isnull=False).select_related("user").first()
    return cast(User, found.user) if found is not None else None


def find_unverified_accounts(email: str) -> list[User]:
    """Return the accounts that use `email` unverified."""
    rows = _holders(email).filter(verified=False).select_related("user").order_by("pk")
    return [cast(User, row.user) for row in rows]


def find_account(email: str) -> User | None:
    """Return the account that verified `email`, or else the only account that uses it."""
    claiming = find_unverified_accounts(email)
    return find_verified_account(email) or (claiming[0] if len(claiming) == 1 else None)


def verified_addresses(user: User) -> list[str]:
    """Return the verified addresses of the account."""
    rows = EmailAddress.objects.filter(user=user, verified=True, verification__isnull=False).order_by("pk")
    return list(rows.values_list("email", flat=True))


def get_email_verification(user: User, email: str) -> EmailVerification | None:
    """Return how and when the user of the account verified `email`."""
    return EmailVerification.objects.filter(address__user=user, address__email=normalize_email(email)).first()


def uses_address(*, user: User, email: str) -> bool:
    """Return whether the account uses `email`, verified or not."""
    return _holders(email).filter(user=user).exists()


def is_unused(user: User) -> bool:
    """Return whether the account has never been signed in to and has no password."""
    return not user.has_usable_password() and user.last_login is None


def display_name(user: User) -> str:
    """Return the name of an account for allauth's texts (ACCOUNT_USER_DISPLAY)."""
    return user.email or "Account without an address"


def claim_address(*, user: User, email: str) -> None:
    """Let `user` sign in with `email`, unverified. Raises AddressTakenError if another account uses it."""
    email = normalize_email(email)
    with transaction.atomic(using=_alias()):
        if _holders(email).exclude(user=user).exists():
            raise AddressTakenError(email)
        EmailAddress.objects.get_or_create(user=user, email=email)
        _update_primary_address(user)


def verify_address(
    *, user: User, email: str, method: EmailVerification.Method, issuer: str = "", takes_over: bool = False
) -> Sequence[User]:
    """Record that the user of the account verified `email`; return the accounts that lost the address.

    Other accounts lose an unverified address only if `takes_over` is set. Raises AddressTakenError if another account
    verified the address, or uses it and `takes_over` is not set.
    """
    email = normalize_email(email)
    try:
        with transaction.atomic(using=_alias()):
            former_holders = find_unverified_accounts(email) if takes_over else []
            former_holders = [former_holder for former_holder in former_holders if former_holder.pk != user.pk]
            for former_holder in former_holders:
                release_address(user=former_holder, email=email)
            if _holders(email).exclude(user=user).exists():
                raise AddressTakenError(email)
            row, _ = EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True})
            facts = {"method": method, "issuer": issuer, "verified_at": timezone.now()}
            EmailVerification.objects.update_or_create(address=row, defaults=facts)
            _update_primary_address(user)
    except IntegrityError:
        # Another account verified it at the same moment.
        raise AddressTakenError(email) from None
    return former_holders


def unverify_address(*, user: User, email: str) -> bool:
    """Delete the verification of `email`, which stays a sign-in name. Return False if there was none."""
    with transaction.atomic(using=_alias()):
        EmailVerification.objects.filter(address__user=user, address__email=normalize_email(email)).delete()
        changed = _holders(email).filter(user=user, verified=True).update(verified=False)
        _update_primary_address(user)
    return bool(changed)


def release_address(*, user: User, email: str) -> bool:
    """Remove `email` from the account. Return False if the account did not use it."""
    with transaction.atomic(using=_alias()):
        deleted, _ = _holders(email).filter(user=user).delete()
        _update_primary_address(user)
    return bool(deleted)


def _holders(email: str) -> "QuerySet[EmailAddress]":
    rows: QuerySet[EmailAddress] = EmailAddress.objects.filter(email=normalize_email(email))
    return rows


def _update_primary_address(user: User) -> None:
    """Keep one primary address, preferring a verified one, and copy it to Django's own column."""
    rows = EmailAddress.objects.filter(user=user)
    first = rows.order_by("-verified", "-primary", "pk").first()
    rows.filter(primary=True).exclude(pk=first.pk if first else None).update(primary=False)
    if first is not None:
        rows.filter(pk=first.pk).update(primary=True)
    user.email = first.email if first is not None else ""
    User.objects.filter(pk=user.pk).update(email=user.email)


def _alias() -> str:
    return router.db_for_write(User)
