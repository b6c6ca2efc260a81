"""The product's settings on throwaway files, so that a test run touches nothing of the person's."""

import os
import tempfile

# Each process of a test run has a folder of its own; what it starts finds the same.
_process = os.environ.get("PYTEST_XDIST_WORKER", "main")
if os.environ.get("CONSOLE_TESTS_PROCESS") != _process:
    os.environ["CONSOLE_TESTS_PROCESS"] = _process
    os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="console-tests-var-")
os.environ.setdefault("SECRET_KEY", "only for tests " * 4)
os.environ.setdefault("AUDIT_SIGNING_KEY", "only for tests " * 4)
os.environ.setdefault("OAUTH_SEALING_KEY", "only for tests " * 4)

from hoursmith_console.settings import *  # noqa: E402, F403 – reads the variables as it loads

# Hashed file names need a collected static folder, which unit tests do not have.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Unit tests need no worker beside them to count with; the served ones use the table.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
