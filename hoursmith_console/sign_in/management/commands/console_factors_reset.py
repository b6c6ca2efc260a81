"""Remove two-factor authentication from an account whose user has lost it."""

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User

from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.sign_in.management.account_command import AccountCommand


class Command(AccountCommand):
    help = "Remove all two-factor methods of an account and end its sessions. Verify the user's identity first."
    action = "console.factors_reset"

    def change(self, user: User) -> str:
        removed, _ = Authenticator.objects.filter(user=user).delete()
        end_sessions(user=user)
        return f"{removed} two-factor methods removed. The password is unchanged."
