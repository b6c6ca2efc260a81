"""Password resets by mail. Whoever asks gets one answer, made before it is looked up whether there is an account."""

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
# One thread, which begins with the first request: it looks the account up and waits for the mail server.
sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password-resets")
# Django counts the seconds in its tokens from here.
_EPOCH = datetime(2001, 1, 1)


class ResetTokenGenerator(PasswordResetTokenGenerator):
    """Keys of reset links: used up by the new password or the next sign-in, too old after an hour.

    An operator's links to a new password have other keys, and live longer.
    """

    key_salt = "hoursmith_console.sign_in.resets"

    def check_token(self, user: Any, token: str | None) -> bool:
        """Return whether `token` is one for `user` and young enough."""
        try:
            made = _EPOCH + timedelta(seconds=base36_to_int((token or "").partition("-")[0]))
        except (ValueError, OverflowError):
            return False
        age = datetime.now() - made
        return age <= VALID and super().check_token(user, token)


def request_reset(*, email: str) -> None:
    """Send a reset link to `email`, where it is the proven address of somebody with access.

    Where mail leaves this machine both the look-up and the sending wait in the background, so that nothing of them
    shows in the time of the answer.
    """
    if not sends_mail():
        _answer(email)
    elif _waiting.acquire(blocking=False):
        sender.submit(_answer_later, email)
    else:
        logger.error("A password reset was dropped: %s are waiting for the mail server.", _WAITING_AT_MOST)


def _answer_later(email: str) -> None:
    try:
        _answer(email)
    except Exception as error:
        # The text of the error may hold the address or the link.
        logger.error("A password reset could not be mailed: %s", type(error).__name__)
    finally:
        _waiting.release()
        connections.close_all()


def _answer(email: str) -> None:
    user = _account(email)
    if user is not None:
        _send(user, email)


def _account(email: str) -> User | None:
    """Return the account whose proven address `email` is, where it may enter the console or is invited to."""
    user = find_verified_account(email)
    if user is None or not user.is_active:
        return None
    may_enter = Member.objects.with_access().filter(user=user).exists() or has_open_invitation(user)
    return user if may_enter else None


def _send(user: User, email: str) -> None:
    key = {"uidb36": user_pk_to_url_str(user), "key": ResetTokenGenerator().make_token(user)}
    # By the configured address, never by the one that the request named.
    link = f"{settings.PUBLIC_URL}{reverse('account_reset_password_from_key', kwargs=key)}"
    build_message(
        subject="Reset your password for the Hoursmith console",
        text=(
            f"Somebody asked for a new password for {email} at the Hoursmith console.\n\n"
            f"Choose one within an hour:\n{link}\n\n"
            "If it was not you, do nothing: your password stays as it is.\n"
        ),
        to=email,
    ).send()
