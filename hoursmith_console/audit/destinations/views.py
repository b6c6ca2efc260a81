"""The pages of the sinks: where the record goes as it grows. For reviewers; each change asks once more who is there."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.audit.destinations.forms import ChangeSinkForm, NewSinkForm, RestartSinkForm
from hoursmith_console.core.section import deciding
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.destinations.errors import UnfitSinkError
from mcpbridge.audit.destinations.services import (
    MOST_SINKS,
    sink_change,
    sink_create,
    sink_delete,
    sink_pause,
    sink_restart,
    sink_resume,
    sink_secret_replace,
    sink_test,
)
from mcpbridge.audit.destinations.status import SinkStanding, sink_standings
from mcpbridge.models.destinations import Sink

T = TypeVar("T")
View = Callable[..., HttpResponse]


class SinkPages:
    """The list, the page of each sink, and what can be done there."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """The addresses, below that of the audit area."""
        guard, post = self._site.admin_view, require_POST
        return [
            path("sinks/", guard(require_safe(_looked_at(self.list))), name="sinks"),
            path("sinks/new/", guard(require_http_methods(["GET", "POST"])(_changed(self.new))), name="sink_new"),
            path("sinks/<int:key>/", guard(require_safe(_looked_at(self.detail))), name="sink"),
            path("sinks/<int:key>/change/", guard(post(_changed(self.change))), name="sink_change"),
            path("sinks/<int:key>/restart/", guard(post(_changed(self.restart))), name="sink_restart"),
            path("sinks/<int:key>/secret/", guard(post(_changed(self.secret))), name="sink_secret"),
            path("sinks/<int:key>/test/", guard(post(_changed(self.test))), name="sink_test"),
            path("sinks/<int:key>/pause/", guard(post(_changed(self.pause))), name="sink_pause"),
            path("sinks/<int:key>/resume/", guard(post(_changed(self.resume))), name="sink_resume"),
            path("sinks/<int:key>/delete/", guard(post(_changed(self.delete))), name="sink_delete"),
        ]

    def list(self, request: ConsoleRequest) -> HttpResponse:
        """All sinks of the workspace and how they stand."""
        standings = sink_standings(request.viewer.org_id)
        return self._page(request, "audit/destinations/list.html", "Sinks", standings=standings, most=MOST_SINKS)

    def new(self, request: ConsoleRequest) -> HttpResponse:
        """GET asks what it shall be, POST makes it; a webhook's secret is in that answer alone."""
        form = NewSinkForm(request.POST if request.method == "POST" else None)
        if not form.is_bound:
            return self._form(request, form)
        viewer = request.viewer

        def make() -> tuple[Sink, str]:
            kind, _, form_of_rows = form.cleaned_data["way"].partition(":")
            return sink_create(
                org_id=viewer.org_id,
                name=form.cleaned_data["name"],
                kind=kind,
                format=form_of_rows,
                address=form.cleaned_data["address"],
                from_first_row=form.cleaned_data["begin"] == "first",
                actor=viewer.member.named,
            )

        status, made = _tried(form, make)
        if made is None:
            return self._form(request, form, status=status)
        sink, secret = made
        if secret:
            return self._secret_page(request, sink, secret)
        messages.success(request, f"{sink.name} gets the record from now on.")
        return _to(sink)

    def detail(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """One sink."""
        return self._detail(request, _standing(request.viewer, key))

    def change(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Name, address, form of the rows."""
        viewer = request.viewer
        standing = _standing(viewer, key)
        form = ChangeSinkForm(request.POST, kind=standing.sink.kind)

        def change() -> None:
            sink_change(sink=standing.sink, actor=viewer.member.named, **form.cleaned_data)

        status, _ = _tried(form, change)
        if status != 200:
            return self._detail(request, _standing(viewer, key), status=status, change_form=form)
        messages.success(request, "Changed. What waits is sent there now.")
        return _to(standing.sink)

    def restart(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send again from a row on."""
        viewer = request.viewer
        standing = _standing(viewer, key)
        form = RestartSinkForm(request.POST)

        def go_back() -> None:
            sequence = form.cleaned_data["sequence"]
            sink_restart(sink=standing.sink, sequence=sequence, actor=viewer.member.named)

        status, _ = _tried(form, go_back)
        if status != 200:
            return self._detail(request, _standing(viewer, key), status=status, restart_form=form)
        messages.success(request, "The rows from there on are sent again.")
        return _to(standing.sink)

    def secret(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """A new signing secret, in this answer alone."""
        viewer = request.viewer
        sink = _standing(viewer, key).sink
        secret = self._done(request, lambda: sink_secret_replace(sink=sink, actor=viewer.member.named))
        return self._secret_page(request, sink, secret) if secret else _to(sink)

    def test(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """One message that is no row."""
        viewer = request.viewer
        sink = _standing(viewer, key).sink
        limit_s = settings.SINK_TIMEOUT_S
        fault = self._done(request, lambda: sink_test(sink=sink, actor=viewer.member.named, limit_s=limit_s))
        if fault:
            messages.error(request, f"The test did not arrive. {fault}")
        elif fault == "":
            messages.success(request, "The test arrived.")
        return _to(sink)

    def pause(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send nothing for a while."""
        viewer = request.viewer
        sink = _standing(viewer, key).sink
        self._done(request, lambda: sink_pause(sink=sink, actor=viewer.member.named))
        return _to(sink)

    def resume(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Go on."""
        viewer = request.viewer
        sink = _standing(viewer, key).sink
        self._done(request, lambda: sink_resume(sink=sink, actor=viewer.member.named))
        return _to(sink)

    def delete(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Send nothing any more."""
        viewer = request.viewer
        sink = _standing(viewer, key).sink

        def delete() -> bool:
            sink_delete(sink=sink, actor=viewer.member.named)
            return True

        if self._done(request, delete):
            messages.success(request, f"{sink.name} gets nothing any more.")
        return HttpResponseRedirect(reverse("console:audit:sinks"))

    def _done(self, request: ConsoleRequest, work: Callable[[], T]) -> T | None:
        """What `work` came to; None and a message where it was not done."""
        try:
            return work()
        except UnfitSinkError as error:
            messages.error(request, str(error))
            return None

    def _detail(
        self, request: ConsoleRequest, standing: SinkStanding, *, status: int = 200, **forms: Form
    ) -> HttpResponse:
        sink = standing.sink
        said = {"name": sink.name, "address": sink.address, "format": sink.format}
        forms.setdefault("change_form", ChangeSinkForm(said, kind=sink.kind))
        forms.setdefault("restart_form", RestartSinkForm(initial={"sequence": sink.confirmed + 1}))
        return self._page(
            request,
            "audit/destinations/detail.html",
            sink.name,
            status=status,
            area_title="Sinks",
            area_address="console:audit:sinks",
            standing=standing,
            sink=sink,
            **forms,
        )

    def _form(self, request: ConsoleRequest, form: NewSinkForm, *, status: int = 200) -> HttpResponse:
        return self._page(
            request,
            "audit/destinations/new.html",
            "New sink",
            status=status,
            area_title="Sinks",
            area_address="console:audit:sinks",
            form=form,
        )

    def _secret_page(self, request: ConsoleRequest, sink: Sink, secret: str) -> HttpResponse:
        """The one answer that shows a signing secret; nobody keeps it, no browser either."""
        answer = self._page(
            request, "audit/destinations/secret.html", f"The secret of {sink.name}", sink=sink, secret=secret
        )
        answer["Cache-Control"] = "no-store, private, max-age=0"
        answer["Referrer-Policy"] = "no-referrer"
        return answer

    def _page(
        self, request: ConsoleRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        around = {"area_title": "Audit", "area_address": "console:audit:list", **self._site.each_context(request)}
        return TemplateResponse(request, template, {**around, "title": title, **context}, status=status)


def _tried(form: Form, work: Callable[[], T]) -> tuple[int, T | None]:
    """200 and what `work` came to where `form` is in order; else another status, and in the form what is wrong."""
    if not form.is_valid():
        return 400, None
    try:
        return 200, work()
    except UnfitSinkError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return 400, None


def _looked_at(view: View) -> View:
    """`view` for who sees the whole workspace."""

    @wraps(view)
    def guarded(request: ConsoleRequest, *args: Any, **more: Any) -> HttpResponse:
        if not request.viewer.member.sees_workspace:
            raise PermissionDenied
        return view(request, *args, **more)

    return guarded


def _changed(view: View) -> View:
    """`view` for who decides for the workspace and has just shown that it is they."""
    return deciding(view)


def _standing(viewer: Viewer, key: int) -> SinkStanding:
    for standing in sink_standings(viewer.org_id):
        if standing.sink.pk == key:
            return standing
    raise Http404("There is no such sink.")


def _to(sink: Sink) -> HttpResponse:
    return HttpResponseRedirect(reverse("console:audit:sink", args=[sink.pk]))
