from django.apps import AppConfig


class TokenInventoryConfig(AppConfig):
    """The pages of the tokens in use."""

    name = "hoursmith_console.token_inventory"

    def ready(self) -> None:
        from hoursmith_console.core.attention import register_attention
        from hoursmith_console.token_inventory.attention import blocked_token_attention

        register_attention(15, blocked_token_attention)
