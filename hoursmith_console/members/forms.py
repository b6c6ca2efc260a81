"""Forms of the members pages."""

from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.workspaces.access import can_invite_as
from hoursmith_console.workspaces.models import Member, Role


class InviteForm(Form):
    """Invite a member by email address, with a role that counts until the next sync."""

    email = forms.EmailField(label="Email address at Hoursmith", max_length=200)
    role = forms.ChoiceField(
        label="Role at Hoursmith",
        help_text="Replaced by the Hoursmith role at the next sync. Known members keep their role.",
    )

    def __init__(self, *args: Any, actor: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 – it is declared above
        field.choices = [(role.value, role.label) for role in reversed(Role) if can_invite_as(actor, role)]
