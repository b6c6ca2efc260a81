"""Keeps the sign-in library's own pages and mails out of the console."""

from pathlib import Path

import allauth
from django.template.loaders.app_directories import Loader

_LIBRARY = Path(allauth.__file__).parent


class WithoutLibraryTemplates(Loader):
    """Loads the templates of every application but allauth.

    A page or a mail of the library that has none of ours is an error, and never shown in the library's words.
    """

    def get_dirs(self) -> list[str | Path]:
        """Return the folders to look in."""
        return [each for each in super().get_dirs() if not Path(each).is_relative_to(_LIBRARY)]
