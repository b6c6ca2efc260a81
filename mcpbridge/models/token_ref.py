"""The public half of a token, which names it and opens nothing."""

from django.db import models

PREFIX_LENGTH = 12


class TokenIdentity(models.Model):
    """The public half of a token, as every record names it."""

    env = models.CharField("environment", max_length=4, help_text="live or test")
    prefix = models.CharField(max_length=PREFIX_LENGTH, help_text="The public part of the token.")

    class Meta:
        abstract = True

    @property
    def masked_token(self) -> str:
        """The token as people may see it: `hsk_live_4f8a2c1bdedf_••••`."""
        return f"hsk_{self.env}_{self.prefix}_••••"
