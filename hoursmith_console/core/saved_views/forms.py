"""What people write to keep a view."""

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.core.saved_views.models import NAME_LENGTH


class SaveViewForm(Form):
    """A name for the filters of a list."""

    masked = frozenset({"query"})

    name = forms.CharField(max_length=NAME_LENGTH, error_messages={"required": "A view needs a name."})
    query = forms.CharField(required=False, widget=forms.HiddenInput)
