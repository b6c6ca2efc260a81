"""Mask tokens in the tables of libraries: accounts, email addresses, identities, sessions.

Our own columns mask their values (`mcpbridge.redaction.fields`). A library's row is masked when it is saved; session
data is masked when it is serialized, before it is compressed.
"""

from functools import cache
from typing import Any

from django.contrib.sessions.serializers import JSONSerializer
from django.db import models

from mcpbridge.redaction.masking import cut, redact_pasted, redact_value

_OURS = ("hoursmith_console.", "mcpbridge.")
_TEXTS = (models.CharField, models.TextField, models.JSONField)
# Columns that cannot hold a readable token, and that an accidental mask would break.
UNMASKED = {
    "auth.User.password": "a salted hash",
    "sessions.Session.session_data": "masked by the session's serializer, before it is compressed",
    "sessions.Session.session_key": "random",
    "mfa.Authenticator.data": "encrypted, or the public key of a passkey",
    "socialaccount.SocialToken.token": "OpenID Connect tokens are not stored",
    "socialaccount.SocialToken.token_secret": "OpenID Connect tokens are not stored",
}


def masks(column: "models.Field[Any, Any]") -> bool:
    """Return whether text in this column of a library's table is masked when a row is saved."""
    return isinstance(column, _TEXTS) and str(column) not in UNMASKED


def mask_row(sender: type[models.Model], instance: models.Model, **_: Any) -> None:
    """Mask tokens in a library's row before it is saved (receiver of `pre_save`)."""
    for column in _columns(sender):
        value = getattr(instance, column.attname)
        kept = redact_value(value) if isinstance(value, str | dict | list) else value
        if kept != value:
            setattr(instance, column.attname, cut(kept, column.max_length) if column.max_length else kept)


class SessionSerializer(JSONSerializer):
    """Serialize session data with tokens masked."""

    def dumps(self, obj: Any) -> bytes:
        """Return `obj` as JSON bytes, with tokens masked."""
        return super().dumps(_without_tokens(obj))


def _without_tokens(value: Any) -> Any:
    """Return `value` with whole tokens masked; random text such as a passkey's challenge stays as it is."""
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
