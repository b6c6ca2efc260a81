from django.apps import AppConfig


class RotationsConfig(AppConfig):
    """Rotating tokens."""

    name = "hoursmith_console.rotations"

    def ready(self) -> None:
        from hoursmith_console.core.attention import register_attention
        from hoursmith_console.rotations.attention import requested_rotation_attention
        from hoursmith_console.rotations.lifecycle import policy_changed as refresh
        from hoursmith_console.rotations.lifecycle import revoked, rotating
        from hoursmith_console.token_policy.services import policy_changed
        from hoursmith_console.tokens.lifecycle import register_lifecycle

        register_lifecycle(revoked=revoked, rotating=rotating)
        policy_changed.connect(refresh, dispatch_uid="rotation notices")
        register_attention(60, requested_rotation_attention)
