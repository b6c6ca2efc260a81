"""Database router of the sandbox workspace, if it has its own database."""

from typing import Any


class SandboxRouter:
    """Route the app `sandbox` to the alias `sandbox`, and everything else to `default`."""

    alias = "sandbox"

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return self.alias if model._meta.app_label == "sandbox" else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return self.db_for_read(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == self.alias) == (app_label == "sandbox")
