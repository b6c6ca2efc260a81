"""The page on which Owner and Admin say how old and how idle tokens may become."""

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
    """The limits; an empty one is none."""

    max_age_days = forms.IntegerField(
        label="Greatest age, in days",
        help_text=(
            "A token is due when it is this old. The console counts from a token’s first use here, since Hoursmith "
            "tells nobody when it was minted: a token that was used elsewhere before is older than it seems. "
            "Empty: no limit."
        ),
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    max_idle_days = forms.IntegerField(
        label="Longest time without use, in days",
        help_text="A token that nobody has used for so long is listed as idle. Empty: no limit.",
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
    )
    warn_days = forms.IntegerField(
        label="Warn before, in days",
        help_text="So long before its greatest age a token’s owner is warned on the overview.",
        min_value=0,
        max_value=365,
    )
    notices_in_text = forms.BooleanField(
        label="Assistants see notices in the text of results",
        help_text=(
            "While a token is due or asked for, each result of a call with it carries a one-line notice in its "
            "metadata, which many assistants do not show. With this it is a line of its own in the result as well."
        ),
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """A warning must come after the token's first day."""
        cleaned = super().clean() or self.cleaned_data
        age, warn = cleaned.get("max_age_days"), cleaned.get("warn_days")
        if age is not None and warn is not None and warn >= age:
            self.add_error("warn_days", f"Choose fewer days than the greatest age, which is {age}.")
        return cleaned


def edit(request: ConsoleRequest) -> HttpResponse:
    """Show the policy, or change it."""
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
    messages.success(request, "The policy is in force." if is_changed else "Nothing was changed.")
    return HttpResponseRedirect(reverse("console:token_policy:edit"))


def _page(request: ConsoleRequest, form: PolicyForm, status: int = 200) -> HttpResponse:
    viewer = request.viewer
    counts = count_due(visible_tokens(viewer), get_policy(viewer.member.workspace), now=timezone.now())
    return render_page(request, "token_policy/page.html", title="Policy", status=status, form=form, counts=counts)
