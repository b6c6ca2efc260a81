"""The status of a token, for pages of other objects that name it."""

from typing import Any

from django import template

from hoursmith_console.token_inventory.status import TokenStatus, token_statuses
from hoursmith_console.tokens.labels import TokenLabel
from mcpbridge.models import ObservedToken, TokenRef

register = template.Library()


@register.simple_tag(takes_context=True)
def token_state(context: dict[str, Any], card: TokenLabel) -> TokenStatus:
    """Return what is in progress or done about the token of `card`, as the signed-in member sees it."""
    ref = TokenRef(card.env, card.prefix)
    return token_statuses(context["request"].viewer, [ObservedToken(env=ref.env, prefix=ref.prefix)])[ref]
