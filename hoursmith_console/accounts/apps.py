from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """How people sign in."""

    name = "hoursmith_console.accounts"
    label = "accounts"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from hoursmith_console.accounts.middleware import session_begins

        user_logged_in.connect(session_begins, dispatch_uid="console session")
