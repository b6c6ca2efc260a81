from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """How people sign in."""

    name = "hoursmith_console.accounts"
    label = "accounts"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.db.models.signals import pre_save

        from hoursmith_console.accounts.library_tables import mask_row
        from hoursmith_console.accounts.middleware import start_session

        pre_save.connect(mask_row, dispatch_uid="mask tokens in libraries' tables")
        user_logged_in.connect(start_session, dispatch_uid="console session")
