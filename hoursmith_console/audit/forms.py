"""What people write on the audit pages."""

from django import forms

from hoursmith_console.core.forms import Form
from mcpbridge.audit.rows import NOTE_LENGTH


class ResolveForm(Form):
    """What somebody found out about a call whose outcome nobody knew."""

    note = forms.CharField(
        label="What did you find at Hoursmith?",
        help_text="It stays in the record, with your name, and cannot be changed.",
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ExportForm(Form):
    """In which form the record is handed out."""

    format = forms.ChoiceField(
        choices=[
            ("jsonl", "JSON Lines – the one that docs/verify_audit.py can verify"),
            ("csv", "CSV, for spreadsheets"),
            ("ocsf", "OCSF, for security lakes"),
            ("cef", "CEF, for SIEMs"),
        ],
        widget=forms.RadioSelect,
        initial="jsonl",
    )
