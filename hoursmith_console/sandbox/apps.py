"""The embedded workspace as a Django app."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class SandboxConfig(AppConfig):
    """App label `sandbox`; its tables may live in a database of their own (see `router`)."""

    name = "hoursmith_console.sandbox"
    label = "sandbox"

    def ready(self) -> None:
        from hoursmith_console.sandbox.text import register_casefold

        connection_created.connect(register_casefold, dispatch_uid="sandbox_casefold")
