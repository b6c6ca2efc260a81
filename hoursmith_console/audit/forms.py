"""Forms of the audit log pages."""

from django import forms

from hoursmith_console.core.forms import Form
from mcpbridge.audit.rows import NOTE_LENGTH


class ResolveForm(Form):
    """A note that resolves a call with an unknown outcome."""

    note = forms.CharField(
        label="What did you find in Hoursmith?",
        help_text="Saved in the audit log with your name. It can’t be changed.",
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ExportForm(Form):
    """The format of an export."""

    format = forms.ChoiceField(
        choices=[
            ("jsonl", "JSON Lines, verifiable with docs/verify_audit.py"),
            ("csv", "CSV, for spreadsheets"),
            ("ocsf", "OCSF, for security lakes"),
            ("cef", "CEF, for SIEMs"),
        ],
        widget=forms.RadioSelect,
        initial="jsonl",
    )
