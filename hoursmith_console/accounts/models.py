"""Sessions, proofs of addresses, OpenID Connect identities, and the attempts that all workers count together."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from mcpbridge.redaction.fields import MaskedCharField

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


class EmailVerification(models.Model):
    """How and when the user of an account showed that they receive mail at one of its addresses.

    allauth's `EmailAddress.verified` is true exactly where there is a proof; `accounts.addresses` writes both.
    """

    class Method(models.TextChoices):
        MAIL_LINK = "mail_link", "link by mail"
        OIDC = "oidc", "OpenID Connect"

    address = models.OneToOneField("account.EmailAddress", on_delete=models.CASCADE, related_name="verification")
    method = models.CharField(max_length=16, choices=Method)
    issuer = MaskedCharField(max_length=255, blank=True, help_text="The OpenID Connect issuer that vouched for it.")
    verified_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["verified_at", "id"]

    def __str__(self) -> str:
        return f"{self.address} by {self.get_method_display()}"


class OidcIdentity(models.Model):
    """A user at an OpenID Connect provider who signs in to an account. Issuer and subject together are who they are."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="oidc_identities")
    issuer = MaskedCharField(max_length=255)
    subject = MaskedCharField(max_length=255)
    label = MaskedCharField(max_length=254, blank=True, help_text="The verified address that the provider last gave.")
    linked_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["linked_at", "id"]
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="oidc_identity_once")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
