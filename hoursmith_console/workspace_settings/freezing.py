"""The form that freezes what destroys, for the whole workspace or for one token, and what becomes of it."""

from django import forms
from django.contrib import messages

from hoursmith_console.core.forms import Form
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools, resume_destructive_tools
from mcpbridge.models import Freeze


class FreezeForm(Form):
    """Why nothing is to be deleted or archived for now."""

    reason = forms.CharField(
        label="Why",
        max_length=200,
        help_text="It stays in the record, with your name.",
        error_messages={"required": "Say why, in a few words: the next person wants to know."},
    )


def freeze_of(*, org_id: str, env: str = "", prefix: str = "") -> Freeze | None:
    """The freeze in force for exactly this token, or without one for the whole workspace."""
    return Freeze.objects.filter(org_id=org_id, env=env, prefix=prefix, lifted_at=None).first()


def freeze_answer(request: ConsoleRequest, *, org_id: str, env: str = "", prefix: str = "") -> None:
    """Freeze, or where there is a freeze lift it; what came of it is a message on the next page."""
    actor = request.viewer.member.display_identity
    standing = freeze_of(org_id=org_id, env=env, prefix=prefix)
    # The button says which of the two was meant: a page may have been open for a day.
    lifts = request.POST.get("do") == "lift"
    form = FreezeForm(request.POST)
    if lifts and standing is not None:
        resume_destructive_tools(freeze=standing, actor=actor)
        messages.success(request, "The freeze is lifted, and that is in the record.")
    elif not lifts and form.is_valid():
        pause_destructive_tools(org_id=org_id, env=env, prefix=prefix, actor=actor, reason=form.cleaned_data["reason"])
        messages.success(request, "Frozen from the next call on, and that is in the record.")
    elif not lifts:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
