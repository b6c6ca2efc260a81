"""Pages of watchers and witnesses, for reviewers; each change requires re-authentication."""

from collections.abc import Sequence

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from hoursmith_console.audit.models import WatchKey, WatchKeyQuerySet
from hoursmith_console.audit.watchers.forms import WatchKeyForm
from hoursmith_console.audit.watchers.logs import log_vkey, watch_command
from hoursmith_console.audit.watchers.services import (
    MOST_WATCH_KEYS,
    InvalidWatchKeyError,
    create_watch_key,
    revoke_watch_key,
    rotate_watch_key,
)
from hoursmith_console.audit.watchers.witnesses import witness_rows
from hoursmith_console.core.permissions import View, admin_required, recent_auth_required, reviewer_required
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer


class WatcherPages:
    """The list of watch keys with the witnesses, and the actions on keys."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """Return the URL patterns, relative to the audit log's."""
        guard = self._site.admin_view

        def form(view: View, methods: Sequence[str] = ("POST",)) -> View:
            return guard(require_http_methods(methods)(admin_required(recent_auth_required(view))))

        return [
            path("watchers/", guard(require_safe(reviewer_required(self.list))), name="watchers"),
            path("watchers/new/", form(self.new, ["GET", "POST"]), name="watch_key_new"),
            path("watchers/<int:key>/rotate/", form(self.rotate), name="watch_key_rotate"),
            path("watchers/<int:key>/revoke/", form(self.revoke), name="watch_key_revoke"),
        ]

    def list(self, request: ConsoleRequest) -> HttpResponse:
        """List the workspace's watch keys, and the witnesses of this console."""
        vkey = log_vkey(request.viewer.org_id)
        return render_page(
            request,
            "audit/watchers/list.html",
            title="Watchers",
            keys=_visible_to(request.viewer),
            most=MOST_WATCH_KEYS,
            command=watch_command(vkey),
            vkey=vkey,
            witnesses=witness_rows(request.viewer.org_id),
        )

    def new(self, request: ConsoleRequest) -> HttpResponse:
        """GET shows the form, POST creates the key; only that response shows it."""
        form = WatchKeyForm(request.POST if request.method == "POST" else None)
        status = 200
        if form.is_bound:
            status, viewer = 400, request.viewer
            if form.is_valid():
                try:
                    key, text = create_watch_key(
                        org_id=viewer.org_id, name=form.cleaned_data["name"], actor=viewer.member.display_identity
                    )
                except InvalidWatchKeyError as error:
                    form.add_error("name", str(error))
                else:
                    return _key_page(request, key, text)
        return render_page(
            request,
            "audit/watchers/new.html",
            title="Create watch key",
            status=status,
            area_title="Watchers",
            area_address="console:audit:watchers",
            form=form,
        )

    def rotate(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Replace the key; only this response shows the new one."""
        viewer = request.viewer
        found = get_object_or_404(_visible_to(viewer), pk=key)
        try:
            text = rotate_watch_key(key=found, actor=viewer.member.display_identity)
        except InvalidWatchKeyError as error:
            messages.error(request, str(error))
            return _to_list()
        return _key_page(request, found, text)

    def revoke(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Revoke the key."""
        viewer = request.viewer
        found = get_object_or_404(_visible_to(viewer), pk=key)
        try:
            revoke_watch_key(key=found, actor=viewer.member.display_identity)
        except InvalidWatchKeyError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Watch key {found.name} revoked.")
        return _to_list()


def _visible_to(viewer: Viewer) -> WatchKeyQuerySet:
    return WatchKey.objects.live().filter(org_id=viewer.org_id)


def _key_page(request: ConsoleRequest, key: WatchKey, text: str) -> HttpResponse:
    """Render the only response that shows a watch key; browsers must not cache it."""
    response = render_page(
        request,
        "audit/watchers/key.html",
        title=f"Watch key of {key.name}",
        watch_key=key,
        text=text,
        command=watch_command(log_vkey(key.org_id)),
    )
    response["Cache-Control"] = "no-store, private, max-age=0"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("console:audit:watchers"))
