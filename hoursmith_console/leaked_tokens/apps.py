from django.apps import AppConfig


class LeakedTokensConfig(AppConfig):
    """Reports of leaked tokens."""

    name = "hoursmith_console.leaked_tokens"

    def ready(self) -> None:
        from hoursmith_console.core.attention import register_attention
        from hoursmith_console.leaked_tokens.attention import leaked_token_attention

        register_attention(50, leaked_token_attention)
