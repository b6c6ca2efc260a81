from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts about assistants, tokens and the console, sent by email and to chats."""

    name = "hoursmith_console.alerts"
    label = "alerts"

    def ready(self) -> None:
        from hoursmith_console.alerts.attention import undelivered_alerts
        from hoursmith_console.core.attention import register_attention

        register_attention(95, undelivered_alerts)
