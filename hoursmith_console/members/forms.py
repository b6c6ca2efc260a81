"""What people fill in on the members pages."""

from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.workspaces.access import can_invite_as
from hoursmith_console.workspaces.models import Member, Role


class InviteForm(Form):
    """Whom to let into the console, and as what until Hoursmith's own list says it."""

    email = forms.EmailField(label="E-mail address at Hoursmith", max_length=200)
    role = forms.ChoiceField(
        label="Role at Hoursmith",
        help_text="Counts only until the members are imported the next time. Somebody known here keeps theirs.",
    )

    def __init__(self, *args: Any, actor: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 – it is declared above
        field.choices = [(role.value, role.label) for role in reversed(Role) if can_invite_as(actor, role)]
