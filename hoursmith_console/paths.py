"""Where the console's own files and its data lie: in a checkout, or installed from a wheel."""

import os
from pathlib import Path

# What Python is to find the packages in.
IMPORT_DIR = Path(__file__).resolve().parent.parent
_IN_WHEEL = Path(__file__).resolve().parent / "files"
IS_INSTALLED = _IN_WHEEL.is_dir()
# The folder of templates/, static/ and docs/.
FILES_DIR = _IN_WHEEL if IS_INSTALLED else IMPORT_DIR


def data_dir() -> Path:
    """Return the folder of `.env` and, by default, of `var/`: the checkout, or one in the user's home.

    Source: XDG Base Directory Specification 0.8, XDG_DATA_HOME.
    """
    if not IS_INSTALLED:
        return IMPORT_DIR
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "share") / "hoursmith-console"


def env_file() -> Path:
    """Return the file of settings that the environment does not set: ENV_FILE, or `.env` in the data folder."""
    return Path(os.environ.get("ENV_FILE") or data_dir() / ".env")


def manage_command() -> str:
    """Return how a management command is run here, as an operator types it."""
    return "hoursmith-console manage" if IS_INSTALLED else ".venv/bin/python manage.py"
