"""Who is signed in where, and the one thing that all workers count together: attempts to sign in."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from mcpbridge.masked_fields import MaskedCharField

AGENT_LENGTH = 200


class ConsoleSession(models.Model):
    """One signed-in browser of one account, so that its owner sees it and can end it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="console_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    address = MaskedCharField(max_length=45, blank=True, help_text="Where it was last seen.")
    agent = MaskedCharField(max_length=AGENT_LENGTH, blank=True, help_text="What the browser calls itself.")
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="To the minute.")

    class Meta:
        ordering = ["-seen_at", "-id"]

    def __str__(self) -> str:
        return f"{self.user} since {self.began_at:%Y-%m-%d %H:%M}"


class SharedCount(models.Model):
    """The table of Django's database cache, in the shape that it expects: attempts, for all workers and machines.

    It holds addresses, digests of e-mail addresses and spent codes, and nothing that opens anything.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "console_shared_counts"

    def __str__(self) -> str:
        return self.cache_key
