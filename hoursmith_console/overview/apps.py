from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """The first page."""

    name = "hoursmith_console.overview"

    def ready(self) -> None:
        from hoursmith_console.core.alerts import register_alerts
        from hoursmith_console.overview import alerts

        for urgency, provider in alerts.PROVIDERS.items():
            register_alerts(urgency, provider)
