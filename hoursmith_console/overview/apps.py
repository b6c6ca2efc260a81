from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """The first page."""

    name = "hoursmith_console.overview"

    def ready(self) -> None:
        from hoursmith_console.core.attention import register_attention
        from hoursmith_console.core.banners import register_banners
        from hoursmith_console.overview import attention
        from hoursmith_console.overview.banners import lapsed_plan

        for urgency, provider in attention.PROVIDERS.items():
            register_attention(urgency, provider)
        register_banners(20, lapsed_plan)
