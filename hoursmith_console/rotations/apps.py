from django.apps import AppConfig


class RotationsConfig(AppConfig):
    """Rotating tokens."""

    name = "hoursmith_console.rotations"

    def ready(self) -> None:
        from hoursmith_console.core.alerts import register_alerts
        from hoursmith_console.rotations.alerts import requested_rotation_alerts
        from hoursmith_console.rotations.lifecycle import policy_changed as refresh
        from hoursmith_console.rotations.lifecycle import revoked, rotating
        from hoursmith_console.token_policy.services import policy_changed
        from hoursmith_console.tokens.lifecycle import register_lifecycle

        register_lifecycle(revoked=revoked, rotating=rotating)
        policy_changed.connect(refresh, dispatch_uid="rotation notices")
        register_alerts(60, requested_rotation_alerts)
