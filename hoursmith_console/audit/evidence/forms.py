"""The form that evidence is downloaded with."""

from django import forms

from hoursmith_console.audit.evidence.members import MEMBERS
from hoursmith_console.audit.evidence.options import Options
from hoursmith_console.core.forms import Form


class EvidenceForm(Form):
    """What evidence shows. Everything is optional: an empty form shows the selected entries whole."""

    left_out = forms.MultipleChoiceField(
        label="Leave out of the entries",
        choices=list(MEMBERS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    shows_others = forms.BooleanField(label="Show the entries in between, without names and contents", required=False)
    withholds_old = forms.BooleanField(label="Withhold entries in the older format", required=False)
    older = forms.CharField(
        label="Older checkpoint of the receiver (optional)",
        help_text="Paste the file “checkpoint” of earlier evidence. The new evidence then proves that nothing was "
        "changed or removed since.",
        max_length=70_000,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )

    def options(self) -> Options:
        """Return the choices of the valid form."""
        made = self.cleaned_data
        return Options(
            left_out=frozenset(made["left_out"]),
            shows_others=made["shows_others"],
            withholds_old=made["withholds_old"],
            older=made["older"],
        )
