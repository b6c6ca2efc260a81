"""Idempotency records and rate limit counters of the API, shared by all workers."""

from django.db import models

from hoursmith_console.sandbox.models.tokens import Token


class IdempotencyRecord(models.Model):
    """The stored response to a POST. `status` is null while the request is running."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200, help_text="Method and path, such as `POST /clients`.")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the request's body.")
    claim = models.UUIDField(help_text="Id of the request that is running it.")
    created_at = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "path", "key"], name="sandbox_key_once")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"


class RateCounter(models.Model):
    """Requests of one token, or bad tokens of one address, in the two windows that are open."""

    subject = models.CharField(max_length=80, primary_key=True)
    short_start = models.BigIntegerField(help_text="Unix seconds at which the short window opened.")
    short_count = models.PositiveIntegerField()
    long_start = models.BigIntegerField(db_index=True)
    long_count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.subject}: {self.short_count}, {self.long_count}"
