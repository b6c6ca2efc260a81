"""The form of what asks for attention: whoever knows of something hands in cards, and the overview shows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.safestring import SafeString


class Tone(StrEnum):
    """How a card is marked; the sign says the same without its colour."""

    LOST = "lost"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One thing that needs somebody: what it is, since when, and the one action.

    `what` and `second` are made with `format_html`. `about` completes the action's name for screen readers. `later`
    is where a button posts that puts the card off.
    """

    tone: Tone
    sign: str
    what: SafeString
    second: SafeString | str = ""
    action: str = "Open"
    about: str = ""
    address: str
    later: str = ""


# What a member may not see, their cards must not tell either: a provider asks the viewer.
Provider = Callable[[Any], Iterable[Card]]
_providers: dict[int, Provider] = {}


def register_alerts(urgency: int, provider: Provider) -> None:
    """Let the overview show the cards of `provider`; those of a lower `urgency` number come first."""
    if _providers.setdefault(urgency, provider) is not provider:
        raise ValueError(f"Two providers of alerts have the urgency {urgency}.")


def alerts_for(viewer: Any) -> list[Card]:
    """Return everything that needs the viewer's attention, the most urgent first."""
    return [card for _, provider in sorted(_providers.items()) for card in provider(viewer)]
