"""What needs attention: apps provide the items, and the overview shows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from hoursmith_console.core.viewer import ViewerRequest


class Tone(StrEnum):
    """Severity of an item, shown as a colour; the sign repeats it."""

    LOST = "lost"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionItem:
    """One thing that needs attention, and the one action to take.

    Build `what` and `second` (a detail, such as a time) with `format_html`. `about` completes the action's name for
    screen readers. `later` is the address to which a button posts to snooze the item.
    """

    tone: Tone
    sign: str
    what: SafeString
    second: SafeString | str = ""
    action: str = "Open"
    about: str = ""
    address: str
    later: str = ""


# A provider takes the viewer: items must not disclose what the member may not see.
Provider = Callable[[Any], Iterable[AttentionItem]]
_providers: dict[int, Provider] = {}
_SNOOZED = "attention_snoozed_at"


def register_attention(urgency: int, provider: Provider) -> None:
    """Register `provider`; items with a lower `urgency` number come first."""
    if _providers.setdefault(urgency, provider) is not provider:
        raise ValueError(f"Two providers of attention items have the urgency {urgency}.")


def attention_for(request: ViewerRequest) -> list[AttentionItem]:
    """Return everything that needs the viewer's attention, the most urgent first, without what they snoozed."""
    items = [item for _, provider in sorted(_providers.items()) for item in provider(request.viewer)]
    is_snoozed = request.session.get(_SNOOZED) == _last_sign_in(request)
    return [item for item in items if not (is_snoozed and item.later)]


def snooze_attention(request: HttpRequest) -> None:
    """Hide the items that can be snoozed until the viewer signs in the next time."""
    request.session[_SNOOZED] = _last_sign_in(request)


def _last_sign_in(request: HttpRequest) -> str:
    """Return the instant of the last sign-in. The session itself may outlive a sign-in."""
    last = getattr(request.user, "last_login", None)
    return last.isoformat() if last else "never"
