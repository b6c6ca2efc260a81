"""What people write on the rotation pages."""

from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.services import REASON_LENGTH
from hoursmith_console.workspaces.models import Member

NAME_LENGTH = 100


class StartForm(Form):
    """Why a token is to be replaced; the answer decides the order of the steps."""

    kind = forms.ChoiceField(
        label="Why?",
        choices=[
            (
                RotationKind.PLANNED.value,
                "It is time. The old token goes on working until every assistant was seen with the new one.",
            ),
            (
                RotationKind.LEAKED.value,
                "It may have leaked. The old token is revoked first; its assistants stop until they have the new one.",
            ),
        ],
        widget=forms.RadioSelect,
        initial=RotationKind.PLANNED.value,
    )
    reason = forms.CharField(
        label="Anything to add? (optional)",
        help_text="It goes into the record, with your name.",
        max_length=REASON_LENGTH,
        required=False,
    )


class MintForm(Form):
    """What the new token is called."""

    name = forms.CharField(label="Its name", max_length=NAME_LENGTH, strip=True)
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)


class OwnerForm(Form):
    """Whose token it is."""

    owner = forms.ModelChoiceField(label="Whose token is it?", queryset=Member.objects.none())

    def __init__(self, *args: Any, workspace_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = Member.objects.filter(workspace_id=workspace_id, is_active=True)  # type: ignore[attr-defined]


class OffboardForm(Form):
    """Why all tokens of somebody go."""

    reason = forms.CharField(label="Why? It goes into the record.", max_length=REASON_LENGTH)
