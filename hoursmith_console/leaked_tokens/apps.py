from django.apps import AppConfig


class LeakedTokensConfig(AppConfig):
    """Reports of leaked tokens."""

    name = "hoursmith_console.leaked_tokens"

    def ready(self) -> None:
        from hoursmith_console.core.alerts import register_alerts
        from hoursmith_console.leaked_tokens.alerts import leaked_token_alerts

        register_alerts(50, leaked_token_alerts)
