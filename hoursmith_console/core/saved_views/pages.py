"""What saves and removes the views of one list, and what the list shows of them."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from hoursmith_console.core.permissions import auditor_may_post
from hoursmith_console.core.saved_views.forms import SaveViewForm
from hoursmith_console.core.saved_views.services import SavedViewError, view_query, view_remove, view_save, views_of
from hoursmith_console.core.viewer import ConsoleMember, ViewerRequest

if TYPE_CHECKING:
    from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
    from hoursmith_console.core.lists.changelist import KeysetChangeList


class ViewPages:
    """The saved views of `admin`'s list, for the member who saved them."""

    def __init__(self, admin: "ReadOnlyModelAdmin") -> None:
        self._admin = admin

    def urls(self) -> list[URLPattern]:
        """The addresses below the area's own."""
        return [
            path("views/", self._form(self.save), name="view_save"),
            path("views/<int:key>/remove/", self._form(self.remove), name="view_remove"),
        ]

    def save(self, request: ViewerRequest) -> HttpResponse:
        """Keep the view, and go back to it."""
        form, query = SaveViewForm(request.POST), view_query(request.POST.get("query", ""))
        try:
            if not form.is_valid():
                raise SavedViewError(" ".join(str(error) for errors in form.errors.values() for error in errors))
            name = form.cleaned_data["name"]
            view = view_save(member=_member(request), area=self._admin.area, name=name, query=query)
        except SavedViewError as error:
            messages.error(request, f"The view was not saved. {error}")
        else:
            messages.success(request, f"Saved as “{view.name}”. It is under Views, for you alone.")
        return HttpResponseRedirect(self._list(query))

    def remove(self, request: ViewerRequest, key: int) -> HttpResponse:
        """Let one of one's own views go; anybody else's does not exist."""
        view = view_remove(member=_member(request), area=self._admin.area, key=key)
        if view is None:
            raise Http404("There is no such view.")
        messages.success(request, f"The view “{view.name}” is removed.")
        return HttpResponseRedirect(self._list(view_query(request.POST.get("query", ""))))

    def context(self, request: ViewerRequest, changes: "KeysetChangeList") -> dict[str, Any]:
        """What `console/_views.html` shows."""
        query = view_query(changes.address().removeprefix("?"))
        address = self._list(query)
        kept = [
            {"view": view, "address": self._list(view.query), "is_here": view.query == query}
            for view in views_of(member=_member(request), area=self._admin.area)
        ]
        here = next((each["view"] for each in kept if each["is_here"]), None)
        return {
            "views": {"kept": kept, "query": query, "here": here, "link": request.build_absolute_uri(address)},
            "view_save": reverse(f"console:{self._admin.area}:view_save"),
            "view_remove": f"console:{self._admin.area}:view_remove",
        }

    def _form(self, view: Any) -> Any:
        guarded = require_POST(view)
        # A bookmark of one's own changes nothing of the workspace, so that auditors may send it.
        guarded = auditor_may_post(guarded)
        return self._admin.admin_site.admin_view(guarded)

    def _list(self, query: str) -> str:
        return reverse(f"console:{self._admin.area}:list") + (f"?{query}" if query else "")


def _member(request: ViewerRequest) -> ConsoleMember:
    return request.viewer.member
