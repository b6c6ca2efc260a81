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
    """The list, the page of each destination, and what can be done there."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """The addresses, below that of the audit area."""
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
        """All destinations of the workspace and how they stand."""
        standings = destination_statuses(request.viewer.org_id)
        return render_page(
            request,
            "audit/destinations/list.html",
            title="Destinations",
            area_title="Audit",
            area_address="console:audit:list",
            standings=standings,
            most=MOST_DESTINATIONS,
        )

    def new(self, request: ConsoleRequest) -> HttpResponse:
        """GET asks what it shall be, POST makes it; a webhook's secret is in that answer alone."""
        form = NewDestinationForm(request.POST if request.method == "POST" else None)
        if not form.is_bound:
            return self._form(request, form)
        viewer = request.viewer

        def make() -> tuple[LogDestination, str]:
            kind, _, form_of_rows = form.cleaned_data["way"].partition(":")
            return create_destination(
                org_id=viewer.org_id,
                name=form.cleaned_data["name"],
                kind=kind,
                format=form_of_rows,
                address=form.cleaned_data["address"],
                from_first_row=form.cleaned_data["begin"] == "first",
                actor=viewer.member.display_identity,
            )

        status, made = _tried(form, make)
        if made is None:
            return self._form(request, form, status=status)
        destination, secret = made
        if secret:
            return self._secret_page(request, destination, secret)
        messages.success(request, f"{destination.name} gets the record from now on.")
        return _to(destination)

    def detail(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """One destination."""
        return self._detail(request, _standing(request.viewer, key))

    def change(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Name, address, form of the rows."""
        viewer = request.viewer
        standing = _standing(viewer, key)
        form = ChangeDestinationForm(request.POST, kind=standing.destination.kind)

        def change() -> None:
            change_destination(
                destination=standing.destination, actor=viewer.member.display_identity, **form.cleaned_data
            )

        status, _ = _tried(form, change)
        if status != 200:
            return self._detail(request, _standing(viewer, key), status=status, change_form=form)
        messages.success(request, "Changed. What waits is sent there now.")
        return _to(standing.destination)

    def restart(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send again from a row on."""
        viewer = request.viewer
        standing = _standing(viewer, key)
        form = RestartDestinationForm(request.POST)

        def go_back() -> None:
            sequence = form.cleaned_data["sequence"]
            restart_destination(
                destination=standing.destination, sequence=sequence, actor=viewer.member.display_identity
            )

        status, _ = _tried(form, go_back)
        if status != 200:
            return self._detail(request, _standing(viewer, key), status=status, restart_form=form)
        messages.success(request, "The rows from there on are sent again.")
        return _to(standing.destination)

    def secret(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """A new signing secret, in this answer alone."""
        viewer = request.viewer
        destination = _standing(viewer, key).destination
        secret = self._done(
            request, lambda: rotate_destination_secret(destination=destination, actor=viewer.member.display_identity)
        )
        return self._secret_page(request, destination, secret) if secret else _to(destination)

    def test(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """One message that is no row."""
        viewer = request.viewer
        destination = _standing(viewer, key).destination
        limit_s = settings.LOG_DESTINATION_TIMEOUT_S
        fault = self._done(
            request,
            lambda: send_test_message(destination=destination, actor=viewer.member.display_identity, limit_s=limit_s),
        )
        if fault:
            messages.error(request, f"The test did not arrive. {fault}")
        elif fault == "":
            messages.success(request, "The test arrived.")
        return _to(destination)

    def pause(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send nothing for a while."""
        viewer = request.viewer
        destination = _standing(viewer, key).destination
        self._done(request, lambda: pause_destination(destination=destination, actor=viewer.member.display_identity))
        return _to(destination)

    def resume(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Go on."""
        viewer = request.viewer
        destination = _standing(viewer, key).destination
        self._done(request, lambda: resume_destination(destination=destination, actor=viewer.member.display_identity))
        return _to(destination)

    def delete(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send nothing any more."""
        viewer = request.viewer
        destination = _standing(viewer, key).destination

        def delete() -> bool:
            delete_destination(destination=destination, actor=viewer.member.display_identity)
            return True

        if self._done(request, delete):
            messages.success(request, f"{destination.name} gets nothing any more.")
        return HttpResponseRedirect(reverse("console:audit:destinations"))

    def _done(self, request: ConsoleRequest, work: Callable[[], T]) -> T | None:
        """What `work` came to; None and a message where it was not done."""
        try:
            return work()
        except InvalidDestinationError as error:
            messages.error(request, str(error))
            return None

    def _detail(
        self, request: ConsoleRequest, standing: DestinationStatus, *, status: int = 200, **forms: Any
    ) -> HttpResponse:
        destination = standing.destination
        said = {"name": destination.name, "address": destination.address, "format": destination.format}
        forms.setdefault("change_form", ChangeDestinationForm(said, kind=destination.kind))
        forms.setdefault("restart_form", RestartDestinationForm(initial={"sequence": destination.acked + 1}))
        return render_page(
            request,
            "audit/destinations/detail.html",
            title=destination.name,
            status=status,
            area_title="Destinations",
            area_address="console:audit:destinations",
            standing=standing,
            destination=destination,
            **forms,
        )

    def _form(self, request: ConsoleRequest, form: NewDestinationForm, *, status: int = 200) -> HttpResponse:
        return render_page(
            request,
            "audit/destinations/new.html",
            title="New destination",
            status=status,
            area_title="Destinations",
            area_address="console:audit:destinations",
            form=form,
        )

    def _secret_page(self, request: ConsoleRequest, destination: LogDestination, secret: str) -> HttpResponse:
        """The one answer that shows a signing secret; nobody keeps it, no browser either."""
        answer = render_page(
            request,
            "audit/destinations/secret.html",
            title=f"The secret of {destination.name}",
            destination=destination,
            secret=secret,
        )
        answer["Cache-Control"] = "no-store, private, max-age=0"
        answer["Referrer-Policy"] = "no-referrer"
        return answer


def _tried(form: Form, work: Callable[[], T]) -> tuple[int, T | None]:
    """200 and what `work` came to where `form` is in order; else another status, and in the form what is wrong."""
    if not form.is_valid():
        return 400, None
    try:
        return 200, work()
    except InvalidDestinationError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return 400, None


def _standing(viewer: Viewer, key: int) -> DestinationStatus:
    for standing in destination_statuses(viewer.org_id):
        if standing.destination.pk == key:
            return standing
    raise Http404("There is no such destination.")


def _to(destination: LogDestination) -> HttpResponse:
    return HttpResponseRedirect(reverse("console:audit:destination", args=[destination.pk]))
