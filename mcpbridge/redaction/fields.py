"""Columns that cannot hold the secret of a token: whatever is written to one is masked first.

Every text column that people, AI clients or Hoursmith can reach is one of these. The mask is part of preparing a value
for the database, so that `save`, `update`, `bulk_create` and the statements of `mcpbridge.db.bulk` all pass it; a
value that is looked for is masked too, and therefore found. `save` also puts the masked value into the instance.
"""

from typing import TYPE_CHECKING, Any

from django.db import models

from mcpbridge.redaction.masking import cut, redact_value
from mcpbridge.redaction.visible_text import marked

if TYPE_CHECKING:
    _Base = models.Field[Any, Any]
else:
    _Base = object


class Masked(_Base):
    """The part that all of them share."""

    def masked(self, value: Any) -> Any:
        """Return `value` without secrets, and no longer than the column where masking made it so.

        In a short text, which is one line on a page, hidden characters are marked.
        """
        kept = redact_value(value)
        if isinstance(kept, str) and isinstance(self, models.CharField):
            kept = marked(kept)
        if isinstance(kept, str) and kept != value and self.max_length:
            return cut(kept, self.max_length)
        return kept

    def get_prep_value(self, value: Any) -> Any:
        """Mask whatever goes into a statement."""
        return self.masked(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Mask the instance's own value as well, which is often shown next."""
        value = super().pre_save(model_instance, add)
        if hasattr(value, "resolve_expression"):
            return value
        kept = self.masked(value)
        if kept != value:
            setattr(model_instance, self.attname, kept)
        return kept

    def deconstruct(self) -> Any:
        """Look like the plain column to migrations: the database knows no difference."""
        name, _, arguments, options = super().deconstruct()
        plain = next(each for each in type(self).__mro__ if each.__module__.startswith("django."))
        return name, f"django.db.models.{plain.__name__}", arguments, options


if TYPE_CHECKING:
    # To the type checker they are the plain ones, whose values its plugin knows.
    MaskedCharField = models.CharField
    MaskedTextField = models.TextField
    MaskedEmailField = models.EmailField
    MaskedJSONField = models.JSONField
else:

    class MaskedCharField(Masked, models.CharField):
        """A short text."""

    class MaskedTextField(Masked, models.TextField):
        """A text of any length."""

    class MaskedEmailField(Masked, models.EmailField):
        """An address."""

    class MaskedJSONField(Masked, models.JSONField):
        """A value of JSON's types, whose keys are masked as well."""
