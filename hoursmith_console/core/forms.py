"""What every form of the console has in common: a token that is pasted into it is refused, and not shown again."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.http import QueryDict

from hoursmith_console.core.pasted_tokens import mask_form

PASTED = (
    "This looks like a Hoursmith token. Don’t paste it here: anyone who has it can do what you can. To name a token, "
    "use only its prefix, such as hsk_live_ and the 12 characters after it."
)

if TYPE_CHECKING:
    _Form = forms.BaseForm
else:
    _Form = object


class NoTokens(_Form):
    """The part that forms of libraries get as well: refuse tokens, field by field.

    Where that would be hostile, as with a search that is kept, the field is in `masked`: what the mask left is taken.
    """

    masked: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The middleware has cleaned what a request says. Whatever else fills a form is cleaned here.
        if self.is_bound and not hasattr(self.data, "pasted"):
            sent = QueryDict(mutable=True)
            for name, values in _lists(self.data):
                sent.setlist(name, values)
            self.data = mask_form(sent) or self.data

    def full_clean(self) -> None:
        """Refuse each field that held a token, and say nothing else of it."""
        super().full_clean()
        if self.is_bound:
            ours = {self.add_prefix(name): name for name in self.fields}
            for name in sorted(getattr(self.data, "pasted", frozenset()) - self.masked):
                self.errors.pop(ours.get(name, ""), None)
                self.add_error(ours.get(name), PASTED)


def _lists(data: Any) -> list[tuple[str, list[str]]]:
    """What was sent for each field, as texts."""
    if isinstance(data, QueryDict):
        return list(data.lists())
    texts = [(name, value if isinstance(value, list) else [value]) for name, value in data.items()]
    return [(name, [str(value) for value in values]) for name, values in texts]


class Form(NoTokens, forms.Form):
    """A form of the console."""
