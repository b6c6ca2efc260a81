"""What people write to keep a view."""

from django import forms

from hoursmith_console.saved_views.models import NAME_LENGTH


class SaveViewForm(forms.Form):
    """A name for the filters of a list."""

    name = forms.CharField(max_length=NAME_LENGTH, error_messages={"required": "A view needs a name."})
    query = forms.CharField(required=False, widget=forms.HiddenInput)
