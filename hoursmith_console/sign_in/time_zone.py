"""The page where a member chooses the time zone of the times they see."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from hoursmith_console.core.forms import Form
from hoursmith_console.core.times.zones import UTC, browser_zone, zone_names
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.services import set_time_zone
from hoursmith_console.workspaces.viewer import ConsoleRequest


class TimeZoneForm(Form):
    """A zone, or none for the browser's."""

    time_zone = forms.ChoiceField(
        label="Show times in", required=False, help_text="Exports and the API are always in UTC."
    )

    def __init__(self, *args: Any, browser: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = f"The browser’s time zone ({browser})" if browser else f"The browser’s time zone (unknown, so {UTC})"
        cast(forms.ChoiceField, self.fields["time_zone"]).choices = [
            ("", said),
            *((name, name.replace("_", " ")) for name in zone_names()),
        ]


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def time_zone(request: HttpRequest) -> HttpResponse:
    """Choose the zone, for all workspaces of the account."""
    viewer = cast(ConsoleRequest, request).viewer
    chosen = viewer.member.time_zone if viewer else ""
    form = TimeZoneForm(request.POST or None, browser=browser_zone(request), initial={"time_zone": chosen})
    if request.method == "POST" and form.is_valid():
        set_time_zone(user=cast(User, request.user), name=form.cleaned_data["time_zone"])
        messages.success(request, "Time zone saved.")
        return HttpResponseRedirect(request.path)
    return render_page(request, "account/time_zone.html", form=form, status=400 if form.is_bound else 200)
