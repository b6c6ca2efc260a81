"""Mask the tokens in a form."""

from typing import Any

from django.http import QueryDict

from mcpbridge.redaction.masking import redact_pasted


class MaskedForm(QueryDict):
    """A form as it was sent, without tokens. `pasted` names the fields that held one."""

    pasted: frozenset[str] = frozenset()

    def __deepcopy__(self, memo: Any) -> Any:
        made: Any = super().__deepcopy__(memo)
        made.pasted = self.pasted
        return made


def mask_form(sent: QueryDict, *, meant: str | None = None) -> MaskedForm | None:
    """Return the form with every token in it masked, but for the field that is `meant` for one; None without any."""
    # Read once: forms repeat a text in many fields.
    masked = {text: redact_pasted(text) for text in {*sent, *(value for _, values in sent.lists() for value in values)}}
    cleaned, pasted = MaskedForm(mutable=True, encoding=sent.encoding), set()
    for name, values in sent.lists():
        kept = values if name == meant else [masked[value] for value in values]
        shown = masked[name]
        if kept != values or shown != name:
            pasted.add(shown)
            if "password" in name:
                kept = [""] * len(values)
        cleaned.setlist(shown, kept)
    cleaned.pasted = frozenset(pasted)
    return cleaned if pasted else None
