from django.apps import AppConfig


class WorkspaceSettingsConfig(AppConfig):
    """Settings of the workspace."""

    name = "hoursmith_console.workspace_settings"

    def ready(self) -> None:
        from hoursmith_console.core.banners import register_banners
        from hoursmith_console.workspace_settings.pausing import pause_banner

        register_banners(10, pause_banner)
