from django.apps import AppConfig


class TokenPolicyConfig(AppConfig):
    """Age and inactivity limits of tokens."""

    name = "hoursmith_console.token_policy"

    def ready(self) -> None:
        from hoursmith_console.core.alerts import register_alerts
        from hoursmith_console.token_policy.alerts import token_policy_alerts

        register_alerts(110, token_policy_alerts)
