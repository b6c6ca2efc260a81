"""Takes the second factors off an account whose person has lost them all."""

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User

from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.sign_in.management.account_command import AccountCommand


class Command(AccountCommand):
    help = "Remove every second factor of an account and end its sessions. Make sure first that it is they who ask."
    action = "console.factors_reset"

    def change(self, user: User) -> str:
        removed, _ = Authenticator.objects.filter(user=user).delete()
        end_sessions(user=user)
        return f"{removed} second factors removed; the password stays."
