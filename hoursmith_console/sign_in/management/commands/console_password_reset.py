"""Prints a link to a new password for somebody who forgot theirs, where no mail can carry one."""

from django.conf import settings
from django.contrib.auth.models import User

from hoursmith_console.sign_in.invitation_views import recovery_path
from hoursmith_console.sign_in.management.account_command import AccountCommand


class Command(AccountCommand):
    help = (
        "Print a one-time link that sets a new password for an account, in every workspace that it opens. Make sure "
        "first that its user asks, and hand the link to them alone. It does not get past a second factor."
    )
    action = "console.password_reset_link"

    def change(self, user: User) -> str:
        return f"{settings.PUBLIC_URL}{recovery_path(user=user)}"
