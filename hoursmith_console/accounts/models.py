"""Sessions, email verifications, OpenID Connect identities, and rate limit counts shared by all workers."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField

AGENT_LENGTH = 200


class ConsoleSession(models.Model):
    """A signed-in browser of an account. Its user can see and end it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="console_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    address = MaskedCharField(max_length=45, blank=True, help_text="IP address of the last request.")
    agent = MaskedCharField(max_length=AGENT_LENGTH, blank=True, help_text="User-Agent header.")
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="Accurate to a minute.")

    class Meta:
        ordering = ["-seen_at", "-id"]

    def __str__(self) -> str:
        return f"{self.user} since {self.began_at:%Y-%m-%d %H:%M}"


class SharedCount(models.Model):
    """Table of Django's database cache, with the columns it expects: rate limit counts for all workers and nodes.

    Holds IP addresses, digests of email addresses and used one-time codes, but no credential.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "console_shared_counts"

    def __str__(self) -> str:
        return self.cache_key


class EmailVerification(models.Model):
    """How and when an email address of an account was verified.

    allauth's `EmailAddress.verified` is true exactly if this row exists; `accounts.addresses` writes both.
    """

    class Method(models.TextChoices):
        MAIL_LINK = "mail_link", "link by email"
        OIDC = "oidc", "OpenID Connect"

    address = models.OneToOneField("account.EmailAddress", on_delete=models.CASCADE, related_name="verification")
    method = models.CharField(max_length=16, choices=Method)
    issuer = MaskedCharField(max_length=255, blank=True, help_text="The OpenID Connect issuer that verified it.")
    verified_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["verified_at", "id"]

    def __str__(self) -> str:
        return f"{self.address} by {self.get_method_display()}"


class OidcIdentity(models.Model):
    """A user of an OpenID Connect provider who signs in to an account, identified by issuer and subject together."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="oidc_identities")
    issuer = MaskedCharField(max_length=255)
    subject = MaskedCharField(max_length=255)
    label = MaskedCharField(max_length=254, blank=True, help_text="Verified address in the provider's last response.")
    linked_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["linked_at", "id"]
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="oidc_identity_once")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
