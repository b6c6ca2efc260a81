"""A mail backend that counts as one which sends, and sends nothing."""

from django.core.mail.backends.locmem import EmailBackend

__all__ = ["EmailBackend"]
