"""Token policy page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.core.forms import Form
from hoursmith_console.core.views import render_page
from hoursmith_console.token_policy.evaluation import count_due
from hoursmith_console.token_policy.services import change_policy, get_policy
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError

MOST_DAYS = 3650


class PolicyForm(Form):
    """Limits; an empty field means no limit."""

    max_age_days = forms.IntegerField(
        label="Maximum age (days)",
        help_text=(
            "Measured from first use through this console, because Hoursmith doesn’t report creation dates. "
            "Leave empty for no limit."
        ),
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    max_idle_days = forms.IntegerField(
        label="Maximum inactivity (days)",
        help_text="Leave empty for no limit.",
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    warn_days = forms.IntegerField(
        label="Warn owners before (days)",
        help_text="Days before the limit when the owner is warned.",
        min_value=0,
        max_value=365,
    )
    notices_in_text = forms.BooleanField(
        label="Show notices in tool results",
        help_text=(
            "Tokens that must be rotated carry a notice in the metadata of each result, which many assistants "
            "don’t show. This adds it to the text of the result."
        ),
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """Require a warning period shorter than the maximum age."""
        cleaned = super().clean() or self.cleaned_data
        age, warn = cleaned.get("max_age_days"), cleaned.get("warn_days")
        if age is not None and warn is not None and warn >= age:
            self.add_error("warn_days", f"Must be less than the maximum age ({age} days).")
        return cleaned


def edit(request: ConsoleRequest) -> HttpResponse:
    """Show or change the policy."""
    viewer = request.viewer
    workspace = viewer.member.workspace
    current = get_policy(workspace)
    if request.method != "POST":
        values = {name: getattr(current, name) for name in PolicyForm.base_fields}
        return _page(request, PolicyForm(initial=values))
    form = PolicyForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    try:
        is_changed = change_policy(workspace=workspace, actor=viewer.member.display_identity, **form.cleaned_data)
    except AuditUnavailableError as error:
        form.add_error(None, str(error))
        return _page(request, form, status=503)
    messages.success(request, "Policy saved." if is_changed else "No changes.")
    return HttpResponseRedirect(reverse("console:token_policy:edit"))


def _page(request: ConsoleRequest, form: PolicyForm, status: int = 200) -> HttpResponse:
    viewer = request.viewer
    counts = count_due(visible_tokens(viewer), get_policy(viewer.member.workspace), now=timezone.now())
    return render_page(request, "token_policy/edit.html", title="Token policy", status=status, form=form, counts=counts)
