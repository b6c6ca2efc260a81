from django.apps import AppConfig


class RotationsConfig(AppConfig):
    """Rotating tokens."""

    name = "hoursmith_console.rotations"

    def ready(self) -> None:
        from hoursmith_console.core.alerts import register_alerts
        from hoursmith_console.rotations.alerts import due_tokens, own_asks
        from hoursmith_console.rotations.lifecycle import policy_changed as refresh
        from hoursmith_console.rotations.lifecycle import retired, rotating
        from hoursmith_console.token_policy.services import policy_changed
        from hoursmith_console.tokens.lifecycle import register_lifecycle

        register_lifecycle(retired=retired, rotating=rotating)
        policy_changed.connect(refresh, dispatch_uid="rotation notices")
        register_alerts(60, own_asks)
        register_alerts(110, due_tokens)
