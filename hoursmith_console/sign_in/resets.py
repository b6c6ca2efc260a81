"""Password resets by email. The response is sent before the account is looked up, so it does not reveal accounts."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import connections
from django.urls import reverse
from django.utils.http import base36_to_int

from hoursmith_console.accounts.addresses import find_verified_account
from hoursmith_console.workspaces.invitations import has_open_invitation
from hoursmith_console.workspaces.mail import build_message, sends_mail
from hoursmith_console.workspaces.models import Member

logger = logging.getLogger(__name__)

VALID = timedelta(hours=1)
# Requests beyond these are dropped: a mail server that does not answer must not fill the memory.
_WAITING_AT_MOST = 100
_waiting = BoundedSemaphore(_WAITING_AT_MOST)
# One thread, started by the first request: it looks up the account and waits for the mail server.
sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password-resets")
# Django's tokens count seconds from this instant.
_EPOCH = datetime(2001, 1, 1)


class ResetTokenGenerator(PasswordResetTokenGenerator):
    """Keys of reset links: valid for one hour, until the password changes or the user signs in.

    Links printed by `console_password_reset` have other keys and are valid longer.
    """

    key_salt = "hoursmith_console.sign_in.resets"

    def check_token(self, user: Any, token: str | None) -> bool:
        """Return whether `token` belongs to `user` and has not expired."""
        try:
            made = _EPOCH + timedelta(seconds=base36_to_int((token or "").partition("-")[0]))
        except (ValueError, OverflowError):
            return False
        age = datetime.now() - made
        return age <= VALID and super().check_token(user, token)


def request_reset(*, email: str) -> None:
    """Send a reset link to `email` if it is the verified address of an account with access.

    With a mail server, look-up and sending run in the background, so that the response time reveals nothing.
    """
    if not sends_mail():
        _answer(email)
    elif _waiting.acquire(blocking=False):
        sender.submit(_answer_later, email)
    else:
        logger.error("A password reset was dropped: %s requests are waiting for the mail server.", _WAITING_AT_MOST)


def _answer_later(email: str) -> None:
    try:
        _answer(email)
    except Exception as error:
        # The text of the error may hold the address or the link.
        logger.error("A password reset could not be sent: %s", type(error).__name__)
    finally:
        _waiting.release()
        connections.close_all()


def _answer(email: str) -> None:
    user = _account(email)
    if user is not None:
        _send(user, email)


def _account(email: str) -> User | None:
    """Return the account with the verified address `email`, if it has access or an open invitation."""
    user = find_verified_account(email)
    if user is None or not user.is_active:
        return None
    may_enter = Member.objects.with_access().filter(user=user).exists() or has_open_invitation(user)
    return user if may_enter else None


def _send(user: User, email: str) -> None:
    key = {"uidb36": user_pk_to_url_str(user), "key": ResetTokenGenerator().make_token(user)}
    # PUBLIC_URL, never the host that the request named.
    link = f"{settings.PUBLIC_URL}{reverse('account_reset_password_from_key', kwargs=key)}"
    build_message(
        subject="Reset your password for the Hoursmith console",
        text=(
            f"A password reset was requested for {email} at the Hoursmith console.\n\n"
            f"Set a new password within one hour:\n{link}\n\n"
            "If you didn't request this, ignore this message. Your password stays the same.\n"
        ),
        to=email,
    ).send()
