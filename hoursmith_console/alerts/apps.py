from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts about assistants, tokens and the console, sent by email and to chats."""

    name = "hoursmith_console.alerts"
    label = "alerts"
