"""The e-mail addresses of accounts: which account uses one, and whether its user proved that it is theirs.

An address without a proof is a name to sign in with and nothing more. Only a proven one finds an account: for
invitations, for OpenID Connect and for a forgotten password. Links that an operator hands out and the sandbox's
sign-ins prove nothing.
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
    """Return the address `text` in the one form in which addresses are stored and compared.

    Lower case is taken only where it invents no ASCII letter: the Kelvin sign is no "k", and "ß" is no "ss", since
    those are other mailboxes.
    """
    return "".join(_lower(letter) for letter in text.strip())


def _lower(letter: str) -> str:
    lower = letter.lower()
    return lower if letter.isascii() or not any(part.isascii() for part in lower) else letter


def find_verified_account(email: str) -> User | None:
    """Return the account whose user proved that `email` is theirs."""
    found = _holders(email).filter(verified=True, verification__isnull=False).select_related("user").first()
    return cast(User, found.user) if found is not None else None


def find_unverified_accounts(email: str) -> list[User]:
    """Return the accounts that use `email` without proof."""
    rows = _holders(email).filter(verified=False).select_related("user").order_by("pk")
    return [cast(User, row.user) for row in rows]


def find_account(email: str) -> User | None:
    """Return the account that `email` names: the one that proved it, or else the only one that uses it."""
    claiming = find_unverified_accounts(email)
    return find_verified_account(email) or (claiming[0] if len(claiming) == 1 else None)


def verified_addresses(user: User) -> list[str]:
    """Return the addresses that the user of the account proved."""
    rows = EmailAddress.objects.filter(user=user, verified=True, verification__isnull=False).order_by("pk")
    return list(rows.values_list("email", flat=True))


def get_email_verification(user: User, email: str) -> EmailVerification | None:
    """Return how and when the user of the account proved `email`."""
    return EmailVerification.objects.filter(address__user=user, address__email=normalize_email(email)).first()


def uses_address(*, user: User, email: str) -> bool:
    """Return whether the account uses `email`, with or without proof."""
    return _holders(email).filter(user=user).exists()


def is_unused(user: User) -> bool:
    """Return whether nobody has ever been able to sign in to the account."""
    return not user.has_usable_password() and user.last_login is None


def display_name(user: User) -> str:
    """Return how an account is called where the sign-in library shows one."""
    return user.email or "Account without an address"


def claim_address(*, user: User, email: str) -> None:
    """Let `user` sign in with `email`, unproven. Raises AddressTakenError where another account uses it."""
    email = normalize_email(email)
    with transaction.atomic(using=_alias()):
        if _holders(email).exclude(user=user).exists():
            raise AddressTakenError(email)
        EmailAddress.objects.get_or_create(user=user, email=email)
        _primary_settle(user)


def verify_address(
    *, user: User, email: str, method: EmailVerification.Method, issuer: str = "", takes: bool = False
) -> Sequence[User]:
    """Keep that the user of the account proved `email`; return the accounts that thereby lost it.

    Only with `takes` does an account lose an address that it used without proof. Raises AddressTakenError where
    another account proved it, or uses it and must not lose it.
    """
    email = normalize_email(email)
    try:
        with transaction.atomic(using=_alias()):
            losers = find_unverified_accounts(email) if takes else []
            losers = [loser for loser in losers if loser.pk != user.pk]
            for loser in losers:
                release_address(user=loser, email=email)
            if _holders(email).exclude(user=user).exists():
                raise AddressTakenError(email)
            row, _ = EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": True})
            facts = {"method": method, "issuer": issuer, "verified_at": timezone.now()}
            EmailVerification.objects.update_or_create(address=row, defaults=facts)
            _primary_settle(user)
    except IntegrityError:
        # Another account proved it at this very moment.
        raise AddressTakenError(email) from None
    return losers


def unverify_address(*, user: User, email: str) -> bool:
    """Forget the proof of `email`, which stays a name to sign in with; False where there was none."""
    with transaction.atomic(using=_alias()):
        EmailVerification.objects.filter(address__user=user, address__email=normalize_email(email)).delete()
        doubted = _holders(email).filter(user=user, verified=True).update(verified=False)
        _primary_settle(user)
    return bool(doubted)


def release_address(*, user: User, email: str) -> bool:
    """Let `email` name the account no longer; False where it did not."""
    with transaction.atomic(using=_alias()):
        dropped, _ = _holders(email).filter(user=user).delete()
        _primary_settle(user)
    return bool(dropped)


def _holders(email: str) -> "QuerySet[EmailAddress]":
    rows: QuerySet[EmailAddress] = EmailAddress.objects.filter(email=normalize_email(email))
    return rows


def _primary_settle(user: User) -> None:
    """Keep one primary address, a proven one if there is one, and Django's own column equal to it."""
    rows = EmailAddress.objects.filter(user=user)
    first = rows.order_by("-verified", "-primary", "pk").first()
    rows.filter(primary=True).exclude(pk=first.pk if first else None).update(primary=False)
    if first is not None:
        rows.filter(pk=first.pk).update(primary=True)
    user.email = first.email if first is not None else ""
    User.objects.filter(pk=user.pk).update(email=user.email)


def _alias() -> str:
    return router.db_for_write(User)
