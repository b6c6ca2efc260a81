from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """The first page."""

    name = "hoursmith_console.overview"

    def ready(self) -> None:
        from hoursmith_console.core.attention import register_attention
        from hoursmith_console.overview import attention

        for urgency, provider in attention.PROVIDERS.items():
            register_attention(urgency, provider)
