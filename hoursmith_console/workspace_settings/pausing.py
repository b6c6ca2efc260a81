"""Pause and resume destructive tools, for the whole workspace or for one token."""

from collections.abc import Iterator

from django import forms
from django.contrib import messages
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.core.banners import Banner
from hoursmith_console.core.forms import Form
from hoursmith_console.core.times.rendering import ago
from hoursmith_console.workspaces.links import linked_actor
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools, resume_destructive_tools
from mcpbridge.models import Freeze


class PauseForm(Form):
    """The reason for a pause."""

    reason = forms.CharField(
        label="Reason",
        max_length=200,
        help_text="Recorded in the audit log with your name.",
        error_messages={"required": "Enter a reason."},
    )


def pause_of(*, org_id: str, env: str = "", prefix: str = "") -> Freeze | None:
    """Return the pause of exactly this token, or of the whole workspace without a token; None if there is none."""
    return Freeze.objects.filter(org_id=org_id, env=env, prefix=prefix, lifted_at=None).first()


def pause_banner(viewer: Viewer) -> Iterator[Banner]:
    """Yield the pause of the whole workspace: who paused, when and why; Owners and Admins may resume."""
    pause = pause_of(org_id=viewer.org_id)
    if pause is None:
        return
    may_resume = viewer.member.administers
    yield Banner(
        what=format_html(
            "<strong>Destructive tools are paused in this workspace.</strong> Paused by {} {}{}.{}",
            linked_actor(viewer, pause.frozen_by),
            ago(pause.frozen_at),
            format_html(': <q class="name">{}</q>', pause.reason) if pause.reason else "",
            "" if may_resume else SafeString(" Ask an Owner or Admin to resume them."),
        ),
        address=reverse("console:settings:pause") if may_resume else "",
        button="Resume destructive tools" if may_resume else "",
        do="resume",
    )


def handle_pause_form(request: ConsoleRequest, *, org_id: str, env: str = "", prefix: str = "") -> None:
    """Pause or resume destructive tools as the posted form asks; the next page shows the result as a message."""
    actor = request.viewer.member.display_identity
    pause = pause_of(org_id=org_id, env=env, prefix=prefix)
    # The button names the action: the page may be out of date.
    is_resume = request.POST.get("do") == "resume"
    form = PauseForm(request.POST)
    if is_resume and pause is not None:
        resume_destructive_tools(freeze=pause, actor=actor)
        messages.success(request, "Destructive tools resumed.")
    elif not is_resume and form.is_valid():
        pause_destructive_tools(org_id=org_id, env=env, prefix=prefix, actor=actor, reason=form.cleaned_data["reason"])
        messages.success(request, "Destructive tools paused.")
    elif not is_resume:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
