"""An area of the console that is not one model's list: pages of its own under one address."""

from typing import TYPE_CHECKING, ClassVar

from django.urls import URLPattern

if TYPE_CHECKING:
    from hoursmith_console.core.site import ConsoleSite


class Area:
    """Says its `area` (the address), `title` and `place` in the menu, and has an address named `list`."""

    area: ClassVar[str]
    title: ClassVar[str]
    place: ClassVar[int]
    is_for_reviewers: ClassVar[bool] = False

    def __init__(self, site: "ConsoleSite") -> None:
        self.admin_site = site

    def get_urls(self) -> list[URLPattern]:
        """The addresses below the area's own."""
        raise NotImplementedError
