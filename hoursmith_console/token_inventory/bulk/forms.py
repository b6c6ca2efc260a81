"""Forms of bulk actions: why, and by when."""

from datetime import date

from django import forms
from django.utils import timezone

from hoursmith_console.core.forms import Form
from hoursmith_console.rotations.services import REASON_LENGTH


class BlockTokensForm(Form):
    """Reason for blocking. `form` is the form's one-use mark; `digest` names the tokens that were shown."""

    reason = forms.CharField(label="Reason", help_text="Recorded in the audit log.", max_length=200, strip=True)
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)
    digest = forms.CharField(widget=forms.HiddenInput, max_length=16)


class RequestTokensForm(Form):
    """Reason and due date of a request to the owners."""

    reason = forms.CharField(
        label="Reason (optional)",
        help_text="Included in the console and email. Links are removed.",
        max_length=REASON_LENGTH,
        required=False,
    )
    due_on = forms.DateField(label="Due date", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)
    digest = forms.CharField(widget=forms.HiddenInput, max_length=16)

    def clean_due_on(self) -> date:
        """Require a date in the future."""
        due_on: date = self.cleaned_data["due_on"]
        if due_on <= timezone.now().date():
            raise forms.ValidationError("Choose a date in the future.")
        return due_on
