"""The form of the first authorization page. The token's field is read apart: it alone takes a token."""

from datetime import timedelta
from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from mcpbridge.grants import config

FIELD = "token"
DURATIONS = {1: "24 hours", 30: "30 days", 90: "90 days"}
PREFERRED_DAYS = 30
READ_ONLY, FULL = "readonly", "full"
ACCESSES = {READ_ONLY: "Read only", FULL: "Read and write"}


class AccessForm(Form):
    """What the assistant may do, and for how long."""

    access = forms.ChoiceField(
        label="Permissions",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the permissions.", "invalid_choice": "Choose one of these permissions."},
    )
    days = forms.TypedChoiceField(
        label="Access ends after",
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose when access ends.", "invalid_choice": "Choose one of these durations."},
    )

    def __init__(self, *args: Any, is_read_only: bool) -> None:
        super().__init__(*args)
        longest = config.grant_lifetime()
        days = [each for each in DURATIONS if timedelta(days=each) <= longest] or [1]
        access, duration = self.fields["access"], self.fields["days"]
        assert isinstance(access, forms.ChoiceField)  # noqa: S101 – as declared above
        assert isinstance(duration, forms.ChoiceField)  # noqa: S101 – as declared above
        access.choices = [(each, ACCESSES[each]) for each in ([READ_ONLY] if is_read_only else [READ_ONLY, FULL])]
        access.initial = READ_ONLY
        duration.choices = [(each, DURATIONS[each]) for each in days]
        duration.initial = min(PREFERRED_DAYS, days[-1])

    @property
    def lasts(self) -> timedelta:
        """How long access lasts."""
        return timedelta(days=self.cleaned_data["days"])

    @property
    def is_read_only(self) -> bool:
        return bool(self.cleaned_data["access"] == READ_ONLY)
