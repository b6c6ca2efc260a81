"""The form of a watch key."""

from django import forms

from hoursmith_console.audit.models import WATCH_KEY_NAME_LENGTH
from hoursmith_console.core.forms import Form


class WatchKeyForm(Form):
    """A new watch key."""

    name = forms.CharField(
        label="Name",
        max_length=WATCH_KEY_NAME_LENGTH,
        help_text="Where the watcher runs, such as “Backup server”.",
    )
