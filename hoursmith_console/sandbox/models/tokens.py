"""API tokens. Only a hash of the secret is stored."""

import uuid

from django.db import models

from hoursmith_console.sandbox.models.organizations import Member


class Scope(models.TextChoices):
    """Permissions of a token, within its member's role."""

    READ = "read"
    WRITE = "write"


class Token(models.Model):
    """A token of a member, found by `env` and `prefix`, which do not grant access."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="tokens")
    env = models.CharField(max_length=4)
    prefix = models.CharField(max_length=12)
    secret_hash = models.CharField(max_length=64, help_text="SHA-256 of the secret, in hexadecimal.")
    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["env", "prefix"], name="sandbox_token_prefix_once")]

    def __str__(self) -> str:
        return f"hsk_{self.env}_{self.prefix}_••••"
