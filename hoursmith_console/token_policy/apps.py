from django.apps import AppConfig


class TokenPolicyConfig(AppConfig):
    """Age and inactivity limits of tokens."""

    name = "hoursmith_console.token_policy"

    def ready(self) -> None:
        from hoursmith_console.core.attention import register_attention
        from hoursmith_console.token_policy.attention import token_policy_attention

        register_attention(110, token_policy_attention)
