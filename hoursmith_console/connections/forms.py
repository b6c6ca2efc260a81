"""What people fill in about their connections."""

from django import forms

from hoursmith_console.connections.models import LABEL_LENGTH, Access
from hoursmith_console.core.forms import Form


class ConnectionForm(Form):
    """What a connection is called, and what its address lets it do."""

    label = forms.CharField(
        label="Name",
        max_length=LABEL_LENGTH,
        help_text="So that you and your admins recognise it: the assistant, and the machine it runs on.",
        error_messages={"required": "Give it a name."},
    )
    access = forms.ChoiceField(
        choices=Access.choices,
        initial=Access.FULL,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what it may do.", "invalid_choice": "Choose one of the two."},
    )
