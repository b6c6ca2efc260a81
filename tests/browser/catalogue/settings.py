"""The product's settings with one page more, which shows a client of the catalogue and nothing else."""

from tests.served_settings import *  # noqa: F403

ROOT_URLCONF = "tests.browser.catalogue.pages"
