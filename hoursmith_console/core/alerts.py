"""Alerts: apps provide them, and the overview shows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.safestring import SafeString


class Tone(StrEnum):
    """Severity of an alert, shown as a colour; the sign repeats it."""

    LOST = "lost"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that needs attention, and the one action to take.

    Build `what` and `second` (a detail, such as a time) with `format_html`. `about` completes the action's name for
    screen readers. `later` is the address to which a button posts to snooze the alert.
    """

    tone: Tone
    sign: str
    what: SafeString
    second: SafeString | str = ""
    action: str = "Open"
    about: str = ""
    address: str
    later: str = ""


# A provider takes the viewer: alerts must not disclose what the member may not see.
Provider = Callable[[Any], Iterable[Alert]]
_providers: dict[int, Provider] = {}


def register_alerts(urgency: int, provider: Provider) -> None:
    """Register `provider`; alerts with a lower `urgency` number come first."""
    if _providers.setdefault(urgency, provider) is not provider:
        raise ValueError(f"Two providers of alerts have the urgency {urgency}.")


def alerts_for(viewer: Any) -> list[Alert]:
    """Return the viewer's alerts, the most urgent first."""
    return [alert for _, provider in sorted(_providers.items()) for alert in provider(viewer)]
