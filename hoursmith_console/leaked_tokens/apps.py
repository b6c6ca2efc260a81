from django.apps import AppConfig


class LeakedTokensConfig(AppConfig):
    """Tokens that were reported as leaked."""

    name = "hoursmith_console.leaked_tokens"

    def ready(self) -> None:
        from hoursmith_console.core.alerts import register_alerts
        from hoursmith_console.leaked_tokens.alerts import leak_reports

        register_alerts(50, leak_reports)
