"""An area of the console that is not one model's list: pages of its own under one address."""

from typing import TYPE_CHECKING, ClassVar

from django.urls import URLPattern

from hoursmith_console.core.viewer import ConsoleViewer

if TYPE_CHECKING:
    from hoursmith_console.core.site import ConsoleSite


class ConsoleSection:
    """Says its `area` (the address), `title` and `menu_order`, and has an address named `list`."""

    area: ClassVar[str]
    title: ClassVar[str]
    menu_order: ClassVar[int]
    is_for_reviewers: ClassVar[bool] = False

    def __init__(self, site: "ConsoleSite") -> None:
        self.admin_site = site

    def badge(self, viewer: ConsoleViewer) -> str:
        """How many things wait for `viewer` here, as the menu shows it; empty for none."""
        return ""

    def get_urls(self) -> list[URLPattern]:
        """The addresses below the area's own."""
        raise NotImplementedError
