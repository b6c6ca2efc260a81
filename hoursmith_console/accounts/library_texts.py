"""Template loader that leaves out allauth's own pages and emails."""

from pathlib import Path

import allauth
from django.template.loaders.app_directories import Loader

_LIBRARY = Path(allauth.__file__).parent


class WithoutLibraryTemplates(Loader):
    """Load the templates of every app except allauth.

    A missing template of ours is then an error instead of a page or email in allauth's wording.
    """

    def get_dirs(self) -> list[str | Path]:
        """Return the template directories to search."""
        return [each for each in super().get_dirs() if not Path(each).is_relative_to(_LIBRARY)]
