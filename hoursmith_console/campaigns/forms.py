"""What an admin says to ask for many rotations at once: which tokens, and by when."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.core.forms import Form
from hoursmith_console.rotations.services import REASON_LENGTH
from hoursmith_console.tokens.prefixes import key_from_address
from hoursmith_console.workspaces.models import Member, Role, Workspace
from mcpbridge.models import ObservedClient

MOST_DAYS = 3650
USUAL_TIME = timedelta(days=14)


class CriteriaForm(Form):
    """Which tokens; what is left empty narrows nothing."""

    older_than_days = forms.IntegerField(
        label="Older than (days)",
        help_text="Counted from the first use here.",
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    idle_days = forms.IntegerField(label="Unused for (days)", min_value=1, max_value=MOST_DAYS, required=False)
    role = forms.ChoiceField(label="Role", choices=[("", "any"), *Role.choices], required=False)
    member = forms.ModelChoiceField(label="Owner", queryset=Member.objects.none(), empty_label="any", required=False)
    assistant = forms.ChoiceField(label="Assistant", required=False)
    # Only a token's page asks for it: whoever typed it here might paste a whole token into the address.
    token = forms.CharField(required=False, widget=forms.HiddenInput)
    is_over_privileged = forms.BooleanField(label="More power than they use", required=False)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owners = Member.objects.filter(workspace=workspace)
        self.fields["member"].queryset = owners  # type: ignore[attr-defined]
        names = ObservedClient.objects.filter(token__org_id=workspace.org_id).exclude(name="").order_by("name")
        offered = [(name, name) for name in names.values_list("name", flat=True).distinct()[:100]]
        self.fields["assistant"].choices = [("", "any"), *offered]  # type: ignore[attr-defined]

    def clean_token(self) -> str:
        """The public part, as addresses name it."""
        text: str = self.cleaned_data["token"]
        if text and key_from_address(text) is None:
            raise forms.ValidationError("A token is named like live_4f8a2c1bdedf here.")
        return text

    def criteria(self) -> Criteria:
        """What was said."""
        said = dict(self.cleaned_data)
        owner = said.pop("member")
        return Criteria(**said, member=owner.pk if owner else None)


class AskForm(Form):
    """How the campaign is called, why, and by when."""

    title = forms.CharField(label="Title", help_text="As the board and the record name it.", max_length=120)
    reason = forms.CharField(
        label="Why?",
        help_text="People read it in the console and in the e-mail, where links are taken out of it.",
        max_length=REASON_LENGTH,
        required=False,
    )
    due_on = forms.DateField(label="By", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def clean_due_on(self) -> date:
        """A day that is still to come."""
        due_on: date = self.cleaned_data["due_on"]
        if due_on <= timezone.now().date():
            raise forms.ValidationError("Choose a day that is still to come.")
        return due_on
