"""Forms of a new campaign: which tokens, and by when."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.models import CampaignKind
from hoursmith_console.connections.grants.labels import in_force
from hoursmith_console.core.forms import Form
from hoursmith_console.rotations.services import REASON_LENGTH
from hoursmith_console.tokens.prefixes import ref_from_address
from hoursmith_console.workspaces.models import Member, Role, Workspace
from mcpbridge.models import Grant, ObservedClient

MOST_ASSISTANTS = 100
MOST_DAYS = 3650
DEFAULT_PERIOD = timedelta(days=14)


class CriteriaForm(Form):
    """Criteria; empty fields match everything."""

    older_than_days = forms.IntegerField(
        label="Older than (days)",
        help_text="Measured from first use.",
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    idle_days = forms.IntegerField(label="Unused for (days)", min_value=1, max_value=MOST_DAYS, required=False)
    role = forms.ChoiceField(label="Role", choices=[("", "any"), *Role.choices], required=False)
    member = forms.ModelChoiceField(label="Owner", queryset=Member.objects.none(), empty_label="any", required=False)
    assistant = forms.ChoiceField(label="Assistant", required=False)
    # Set by links only: a visible field would invite pasting a whole token into the URL.
    token = forms.CharField(required=False, widget=forms.HiddenInput)
    is_over_privileged = forms.BooleanField(label="Over-privileged only", required=False)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owners = Member.objects.filter(workspace=workspace)
        self.fields["member"].queryset = owners  # type: ignore[attr-defined]
        names = ObservedClient.objects.filter(token__org_id=workspace.org_id).exclude(name="").order_by("name")
        grants = Grant.objects.filter(in_force(), org_id=workspace.org_id).order_by("client_name")
        found = {*names.values_list("name", flat=True).distinct()[:MOST_ASSISTANTS]}
        found |= {*grants.values_list("client_name", flat=True).distinct()[:MOST_ASSISTANTS]}
        offered = [(name, name) for name in sorted(found)]
        self.fields["assistant"].choices = [("", "any"), *offered]  # type: ignore[attr-defined]

    def clean_token(self) -> str:
        """Validate the token prefix."""
        text: str = self.cleaned_data["token"]
        if text and ref_from_address(text) is None:
            raise forms.ValidationError("Not a token prefix. Use the form live_4f8a2c1bdedf.")
        return text

    def criteria(self) -> Criteria:
        """Return the validated criteria."""
        values = dict(self.cleaned_data)
        owner = values.pop("member")
        return Criteria(**values, member=owner.pk if owner else None)


class DueDateForm(Form):
    """Due date of a campaign."""

    due_on = forms.DateField(label="Due date", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    def clean_due_on(self) -> date:
        """Require a date in the future."""
        due_on: date = self.cleaned_data["due_on"]
        if due_on <= timezone.now().date():
            raise forms.ValidationError("Choose a date in the future.")
        return due_on


class RequestForm(DueDateForm):
    """What is requested of the owner of one token, how urgently, why, and by when."""

    kind = forms.ChoiceField(
        label="What should the owner do?",
        choices=[
            (
                CampaignKind.ROTATION.value,
                "Rotate it: create a new token, switch every assistant, revoke the old one.",
            ),
            (CampaignKind.LEAKED.value, "It has leaked: revoke it first, then create a new token."),
            (CampaignKind.REVOCATION.value, "Revoke it. It is no longer needed; there is no new token."),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label="Reason (optional)",
        help_text="Included in the console and email. Links are removed.",
        max_length=REASON_LENGTH,
        required=False,
    )
    field_order = ("kind", "reason", "due_on")


class CampaignForm(DueDateForm):
    """What a campaign asks for, its title, reason and due date."""

    kind = forms.ChoiceField(
        label="Ask the owners to",
        choices=[(CampaignKind.ROTATION.value, "rotate"), (CampaignKind.REVOCATION.value, "revoke")],
        initial=CampaignKind.ROTATION.value,
        required=False,
    )

    title = forms.CharField(label="Title", help_text="Shown on the campaign page and in the audit log.", max_length=120)
    reason = forms.CharField(
        label="Reason",
        help_text="Included in the console and email. Links are removed.",
        max_length=REASON_LENGTH,
        required=False,
    )
    field_order = ("kind", "title", "reason", "due_on")

    def clean_kind(self) -> CampaignKind:
        """Return the kind; a rotation unless it is said."""
        return CampaignKind(self.cleaned_data["kind"] or CampaignKind.ROTATION)
