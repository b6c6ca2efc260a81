"""Form of a connection."""

from django import forms

from hoursmith_console.connections.models import LABEL_LENGTH, Access
from hoursmith_console.core.forms import Form


class ConnectionForm(Form):
    """Name and permissions of a connection."""

    label = forms.CharField(
        label="Name",
        max_length=LABEL_LENGTH,
        help_text="Name the assistant and the machine, so that you and your admins recognise it.",
        error_messages={"required": "Enter a name."},
    )
    access = forms.ChoiceField(
        choices=Access.choices,
        initial=Access.READ_ONLY,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the permissions.", "invalid_choice": "Choose full access or read only."},
    )
