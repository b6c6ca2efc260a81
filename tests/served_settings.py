"""The product's settings for the consoles that tests start, whose passwords are hashed a thousand times, not a million.

Each sign-in and each person made would else take a third of a second of a processor.
"""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from hoursmith_console.settings import *  # noqa: F403 – all else is the product


class QuickHasher(PBKDF2PasswordHasher):
    """The product's own hasher with fewer rounds."""

    iterations = 1000


PASSWORD_HASHERS = [f"{__name__}.QuickHasher"]
