"""What a page says about itself."""

from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class PageHelp:
    """Two sentences about a page, and where the help says more: a page, with an anchor if it is one section."""

    text: str
    more: str

    @property
    def address(self) -> str:
        """The path of the help page."""
        slug, sharp, anchor = self.more.partition("#")
        return f"{reverse('console:help:page', args=[slug])}{sharp}{anchor}"
