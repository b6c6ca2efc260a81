"""Mask tokens on their way into the tables of libraries: accounts, e-mail addresses, identities, sessions.

Our own columns mask what is written to them (`mcpbridge.redaction.fields`). A library's row is masked when it is saved;
a session's data is masked when it is serialized, before it is compressed.
"""

from functools import cache
from typing import Any

from django.contrib.sessions.serializers import JSONSerializer
from django.db import models

from mcpbridge.redaction.masking import cut, redact_pasted, redact_value

_OURS = ("hoursmith_console.", "mcpbridge.")
_TEXTS = (models.CharField, models.TextField, models.JSONField)
# What cannot hold a token in the clear, and would not survive an accidental mask.
UNMASKED = {
    "auth.User.password": "a salted hash",
    "sessions.Session.session_data": "masked by the session's serializer, before it is compressed",
    "sessions.Session.session_key": "made at random",
    "mfa.Authenticator.data": "encrypted, or the public key of a passkey",
    "socialaccount.SocialToken.token": "OpenID Connect's tokens are not kept",
    "socialaccount.SocialToken.token_secret": "OpenID Connect's tokens are not kept",
}


def masks(column: "models.Field[Any, Any]") -> bool:
    """Whether a text is masked when a row of the library's is saved with it."""
    return isinstance(column, _TEXTS) and str(column) not in UNMASKED


def mask_row(sender: type[models.Model], instance: models.Model, **_: Any) -> None:
    """Take tokens out of a library's row that is about to be saved: a receiver of `pre_save`."""
    for column in _columns(sender):
        value = getattr(instance, column.attname)
        kept = redact_value(value) if isinstance(value, str | dict | list) else value
        if kept != value:
            setattr(instance, column.attname, cut(kept, column.max_length) if column.max_length else kept)


class SessionSerializer(JSONSerializer):
    """Writes a session down without tokens."""

    def dumps(self, obj: Any) -> bytes:
        """JSON, in bytes."""
        return super().dumps(_without_tokens(obj))


def _without_tokens(value: Any) -> Any:
    """The same without whole tokens. Random texts, such as a passkey's challenge, must not be touched by accident."""
    if isinstance(value, str):
        return redact_pasted(value)
    if isinstance(value, dict):
        return {_without_tokens(key): _without_tokens(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tokens(item) for item in value]
    return value


@cache
def _columns(model: type[models.Model]) -> tuple["models.Field[Any, Any]", ...]:
    if model.__module__.startswith(_OURS):
        return ()
    return tuple(column for column in model._meta.concrete_fields if masks(column))
