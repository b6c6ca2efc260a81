"""Print a password link for a user who forgot theirs, for installations without a mail server."""

from django.conf import settings
from django.contrib.auth.models import User

from hoursmith_console.sign_in.invitation_views import recovery_path
from hoursmith_console.sign_in.management.account_command import AccountCommand


class Command(AccountCommand):
    help = (
        "Print a one-time link that sets a new password for an account, which may open several workspaces. Verify the "
        "user's identity first and give the link only to them. Two-factor authentication is still required."
    )
    action = "console.password_reset_link"

    def change(self, user: User) -> str:
        return f"{settings.PUBLIC_URL}{recovery_path(user=user)}"
