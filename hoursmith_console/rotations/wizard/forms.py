"""Forms of the rotation pages."""

from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.services import REASON_LENGTH
from hoursmith_console.workspaces.models import Member

NAME_LENGTH = 100


class StartForm(Form):
    """Reason for the rotation; it decides the order of the steps."""

    kind = forms.ChoiceField(
        label="Reason",
        choices=[
            (
                RotationKind.PLANNED.value,
                "Planned rotation. The old token keeps working until every assistant has switched.",
            ),
            (
                RotationKind.LEAKED.value,
                "Leaked. The old token is revoked first; assistants stop working until updated.",
            ),
        ],
        widget=forms.RadioSelect,
        initial=RotationKind.PLANNED.value,
    )
    reason = forms.CharField(
        label="Note (optional)",
        help_text="Recorded in the audit log.",
        max_length=REASON_LENGTH,
        required=False,
    )


class MintForm(Form):
    """Name of the new token."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH, strip=True)
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)


class OwnerForm(Form):
    """Owner of the token."""

    owner = forms.ModelChoiceField(label="Owner", queryset=Member.objects.none())

    def __init__(self, *args: Any, workspace_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = Member.objects.filter(workspace_id=workspace_id, is_active=True)  # type: ignore[attr-defined]


class OffboardForm(Form):
    """Reason for offboarding a member."""

    reason = forms.CharField(label="Reason (recorded in the audit log)", max_length=REASON_LENGTH)
