"""The environment and prefix of a token, which identify it and authorise nothing."""

from django.db import models

from mcpbridge.models.refs import TokenRef

PREFIX_LENGTH = 12


class TokenIdentity(models.Model):
    """Columns of a row about one token."""

    env = models.CharField("environment", max_length=4, help_text="live or test")
    prefix = models.CharField(max_length=PREFIX_LENGTH, help_text="The token prefix.")

    class Meta:
        abstract = True

    @property
    def token_ref(self) -> TokenRef:
        """Return the token that the row is about."""
        return TokenRef(self.env, self.prefix)

    @property
    def masked_token(self) -> str:
        """Return the token with its secret masked: `hsk_live_4f8a2c1bdedf_••••`."""
        return f"hsk_{self.env}_{self.prefix}_••••"
