"""Model fields that mask token secrets in every value before it is stored.

Every text column that users, AI clients or Hoursmith can write uses one of these. Masking is part of preparing a value
for the database, so `save`, `update`, `bulk_create` and `mcpbridge.db.bulk` all apply it; lookup values are masked too
and therefore match. `save` also sets the masked value on the instance.
"""

from typing import TYPE_CHECKING, Any

from django.db import models

from mcpbridge.redaction.masking import cut, redact_value, redact_visible

if TYPE_CHECKING:
    _Base = models.Field[Any, Any]
else:
    _Base = object


class Masked(_Base):
    """Mixin of all masked fields."""

    def masked(self, value: Any) -> Any:
        """Return `value` with secrets masked, cut to the length of the column if masking made it longer.

        In a CharField, hidden characters are marked too.
        """
        is_name = isinstance(value, str) and isinstance(self, models.CharField)
        kept = redact_visible(value) if is_name else redact_value(value)
        if isinstance(kept, str) and kept != value and self.max_length:
            return cut(kept, self.max_length)
        return kept

    def get_prep_value(self, value: Any) -> Any:
        """Mask the value for a statement."""
        return self.masked(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Mask the value of the instance as well, which is often shown next."""
        value = super().pre_save(model_instance, add)
        if hasattr(value, "resolve_expression"):
            return value
        kept = self.masked(value)
        if kept != value:
            setattr(model_instance, self.attname, kept)
        return kept

    def deconstruct(self) -> Any:
        """Appear as the plain field in migrations, because the column is the same."""
        name, _, arguments, options = super().deconstruct()
        plain = next(each for each in type(self).__mro__ if each.__module__.startswith("django."))
        return name, f"django.db.models.{plain.__name__}", arguments, options


if TYPE_CHECKING:
    # Plain fields for the type checker, whose plugin knows their values.
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
