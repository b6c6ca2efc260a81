from django.apps import AppConfig


class RestoreConfig(AppConfig):
    """Restoring what assistants archived or deleted."""

    name = "hoursmith_console.restore"
