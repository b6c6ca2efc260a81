"""uvicorn's worker for gunicorn, taken from the bench's environment, which here stands behind the product's own."""

import sys

from bench.paths import SITE_PACKAGES

sys.path.append(str(SITE_PACKAGES))

from uvicorn_worker import UvicornWorker

__all__ = ["UvicornWorker"]
