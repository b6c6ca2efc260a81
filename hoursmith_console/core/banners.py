"""Banners on every page: what stops work in the whole workspace. Apps provide them, `console/base.html` shows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from hoursmith_console.core.viewer import ConsoleViewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One thing that stops work, who or what caused it, and how it ends.

    Build `what` with `format_html`. Either `button` posts `do` to `address`, or `link` opens it, for viewers who may.
    """

    what: SafeString
    address: str = ""
    button: str = ""
    do: str = ""
    link: str = ""


Provider = Callable[[Any], Iterable[Banner]]
_providers: dict[int, Provider] = {}


def register_banners(order: int, provider: Provider) -> None:
    """Register `provider`; banners with a lower `order` come first."""
    if _providers.setdefault(order, provider) is not provider:
        raise ValueError(f"Two providers of banners have the order {order}.")


def banners_for(viewer: ConsoleViewer) -> list[Banner]:
    """Return what stops work in the workspace that `viewer` has open."""
    return [banner for _, provider in sorted(_providers.items()) for banner in provider(viewer)]
