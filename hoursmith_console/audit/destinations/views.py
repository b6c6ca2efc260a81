"""Pages of log destinations, for reviewers; each change requires re-authentication."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from hoursmith_console.audit.destinations.forms import ChangeDestinationForm, NewDestinationForm, RestartDestinationForm
from hoursmith_console.core.permissions import View, admin_required, recent_auth_required, reviewer_required
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.destinations.errors import InvalidDestinationError
from mcpbridge.audit.destinations.services import (
    MOST_DESTINATIONS,
    change_destination,
    create_destination,
    delete_destination,
    pause_destination,
    restart_destination,
    resume_destination,
    rotate_destination_secret,
    send_test_message,
)
from mcpbridge.audit.destinations.status import DestinationStatus, destination_statuses
from mcpbridge.models.destinations import LogDestination

T = TypeVar("T")


class DestinationPages:
    """List, detail page and actions of log destinations."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """Return the URL patterns, relative to the audit log's."""
        guard = self._site.admin_view

        def form(view: View, methods: Sequence[str] = ("POST",)) -> View:
            return guard(require_http_methods(methods)(admin_required(recent_auth_required(view))))

        return [
            path("destinations/", guard(require_safe(reviewer_required(self.list))), name="destinations"),
            path(
                "destinations/new/",
                form(self.new, ["GET", "POST"]),
                name="destination_new",
            ),
            path("destinations/<int:key>/", guard(require_safe(reviewer_required(self.detail))), name="destination"),
            path("destinations/<int:key>/change/", form(self.change), name="destination_change"),
            path("destinations/<int:key>/restart/", form(self.restart), name="destination_restart"),
            path("destinations/<int:key>/secret/", form(self.secret), name="destination_secret"),
            path("destinations/<int:key>/test/", form(self.test), name="destination_test"),
            path("destinations/<int:key>/pause/", form(self.pause), name="destination_pause"),
            path("destinations/<int:key>/resume/", form(self.resume), name="destination_resume"),
            path("destinations/<int:key>/delete/", form(self.delete), name="destination_delete"),
        ]

    def list(self, request: ConsoleRequest) -> HttpResponse:
        """List the workspace's log destinations with their status."""
        statuses = destination_statuses(request.viewer.org_id)
        return render_page(
            request,
            "audit/destinations/list.html",
            title="Log destinations",
            statuses=statuses,
            most=MOST_DESTINATIONS,
        )

    def new(self, request: ConsoleRequest) -> HttpResponse:
        """GET shows the form, POST creates the destination; only that response shows a webhook's secret."""
        form = NewDestinationForm(request.POST if request.method == "POST" else None)
        if not form.is_bound:
            return self._form(request, form)
        viewer = request.viewer

        def create() -> tuple[LogDestination, str]:
            kind, _, format_name = form.cleaned_data["type"].partition(":")
            return create_destination(
                org_id=viewer.org_id,
                name=form.cleaned_data["name"],
                kind=kind,
                format=format_name,
                address=form.cleaned_data["address"],
                from_first_row=form.cleaned_data["start"] == "first",
                actor=viewer.member.display_identity,
            )

        status, created = _attempt(form, create)
        if created is None:
            return self._form(request, form, status=status)
        destination, secret = created
        if secret:
            return self._secret_page(request, destination, secret)
        messages.success(request, f"Log destination {destination.name} added.")
        return _to(destination)

    def detail(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Show one destination."""
        return self._detail(request, _status_or_404(request.viewer, key))

    def change(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Change name, address or format."""
        viewer = request.viewer
        destination = _status_or_404(viewer, key).destination
        form = ChangeDestinationForm(request.POST, kind=destination.kind)

        def change() -> None:
            change_destination(destination=destination, actor=viewer.member.display_identity, **form.cleaned_data)

        status, _ = _attempt(form, change)
        if status != 200:
            return self._detail(request, _status_or_404(viewer, key), status=status, change_form=form)
        messages.success(request, "Log destination saved.")
        return _to(destination)

    def restart(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Resend from a given entry on."""
        viewer = request.viewer
        destination = _status_or_404(viewer, key).destination
        form = RestartDestinationForm(request.POST)

        def restart() -> None:
            sequence = form.cleaned_data["sequence"]
            restart_destination(destination=destination, sequence=sequence, actor=viewer.member.display_identity)

        status, _ = _attempt(form, restart)
        if status != 200:
            return self._detail(request, _status_or_404(viewer, key), status=status, restart_form=form)
        messages.success(request, "Resending entries.")
        return _to(destination)

    def secret(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Rotate the signing secret; only this response shows it."""
        viewer = request.viewer
        destination = _status_or_404(viewer, key).destination
        secret = self._attempt(
            request, lambda: rotate_destination_secret(destination=destination, actor=viewer.member.display_identity)
        )
        return self._secret_page(request, destination, secret) if secret else _to(destination)

    def test(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send a test message, which is not an audit entry."""
        destination, actor = _status_or_404(request.viewer, key).destination, request.viewer.member.display_identity
        limit_s = settings.LOG_DESTINATION_TIMEOUT_S
        fault = self._attempt(
            request,
            lambda: send_test_message(destination=destination, actor=actor, limit_s=limit_s),
        )
        if fault:
            messages.error(request, f"The test message was not delivered. {fault}")
        elif fault == "":
            messages.success(request, "Test message delivered.")
        return _to(destination)

    def pause(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Pause delivery."""
        destination, actor = _status_or_404(request.viewer, key).destination, request.viewer.member.display_identity
        self._attempt(request, lambda: pause_destination(destination=destination, actor=actor))
        return _to(destination)

    def resume(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Resume delivery."""
        viewer = request.viewer
        destination = _status_or_404(viewer, key).destination
        self._attempt(
            request, lambda: resume_destination(destination=destination, actor=viewer.member.display_identity)
        )
        return _to(destination)

    def delete(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Delete the destination."""
        viewer = request.viewer
        destination = _status_or_404(viewer, key).destination

        def delete() -> bool:
            delete_destination(destination=destination, actor=viewer.member.display_identity)
            return True

        if self._attempt(request, delete):
            messages.success(request, f"Log destination {destination.name} deleted.")
        return HttpResponseRedirect(reverse("console:audit:destinations"))

    def _attempt(self, request: ConsoleRequest, work: Callable[[], T]) -> T | None:
        """Return the result of `work`; on failure, None and an error message on the next page."""
        try:
            return work()
        except InvalidDestinationError as error:
            messages.error(request, str(error))
            return None

    def _detail(
        self, request: ConsoleRequest, destination_status: DestinationStatus, *, status: int = 200, **forms: Any
    ) -> HttpResponse:
        destination = destination_status.destination
        values = {"name": destination.name, "address": destination.address, "format": destination.format}
        forms.setdefault("change_form", ChangeDestinationForm(values, kind=destination.kind))
        forms.setdefault("restart_form", RestartDestinationForm(initial={"sequence": destination.acked + 1}))
        return render_page(
            request,
            "audit/destinations/detail.html",
            title=destination.name,
            status=status,
            area_title="Log destinations",
            area_address="console:audit:destinations",
            destination_status=destination_status,
            destination=destination,
            **forms,
        )

    def _form(self, request: ConsoleRequest, form: NewDestinationForm, *, status: int = 200) -> HttpResponse:
        return render_page(
            request,
            "audit/destinations/new.html",
            title="Add log destination",
            status=status,
            area_title="Log destinations",
            area_address="console:audit:destinations",
            form=form,
        )

    def _secret_page(self, request: ConsoleRequest, destination: LogDestination, secret: str) -> HttpResponse:
        """Render the only response that shows a signing secret; browsers must not cache it."""
        response = render_page(
            request,
            "audit/destinations/secret.html",
            title=f"Signing secret of {destination.name}",
            destination=destination,
            secret=secret,
        )
        response["Cache-Control"] = "no-store, private, max-age=0"
        response["Referrer-Policy"] = "no-referrer"
        return response


def _attempt(form: Form, work: Callable[[], T]) -> tuple[int, T | None]:
    """Return 200 and the result of `work` if `form` is valid; else 400 and None, with the errors in the form."""
    if not form.is_valid():
        return 400, None
    try:
        return 200, work()
    except InvalidDestinationError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return 400, None


def _status_or_404(viewer: Viewer, key: int) -> DestinationStatus:
    for found in destination_statuses(viewer.org_id):
        if found.destination.pk == key:
            return found
    raise Http404("No such log destination.")


def _to(destination: LogDestination) -> HttpResponse:
    return HttpResponseRedirect(reverse("console:audit:destination", args=[destination.pk]))
