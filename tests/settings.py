"""The product's settings on throwaway files, so that a test run touches nothing of the person's."""

import os
import tempfile

os.environ.setdefault("VAR_DIR", tempfile.mkdtemp(prefix="console-tests-"))
os.environ.setdefault("SECRET_KEY", "only for tests " * 4)
os.environ.setdefault("AUDIT_SIGNING_KEY", "only for tests " * 4)

from hoursmith_console.settings import *  # noqa: F403

# Hashed file names need a collected static folder, which unit tests do not have.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Unit tests need no worker beside them to count with; the served ones use the table.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
