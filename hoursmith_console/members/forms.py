"""Forms of the members pages."""

from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.workspaces.access import can_invite_as
from hoursmith_console.workspaces.models import Member, Role


class InviteForm(Form):
    """Invite a member by email address.

    With `asks_unlisted` the form asks whether an address that no member at Hoursmith has is invited anyway.
    """

    email = forms.EmailField(label="Email address at Hoursmith", max_length=200)
    role = forms.ChoiceField(
        label="Role at Hoursmith",
        help_text="Replaced by the Hoursmith role at the next sync. Known members keep their role.",
    )

    unlisted = forms.BooleanField(
        label="Invite this address anyway",
        required=False,
        help_text="They become a member of this console with the role above, until the next sync.",
    )

    def __init__(self, *args: Any, actor: Member, asks_unlisted: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_unlisted:
            del self.fields["unlisted"]
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 – it is declared above
        field.choices = [(role.value, role.label) for role in reversed(Role) if can_invite_as(actor, role)]
