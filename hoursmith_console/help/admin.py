"""The help pages. Django's admin imports it at start-up."""

from django.http import Http404, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from hoursmith_console.core.section import ConsoleSection
from hoursmith_console.core.site import site
from hoursmith_console.core.viewer import ViewerRequest
from hoursmith_console.core.views import render_page
from hoursmith_console.help.library import library
from hoursmith_console.help.search import MOST_RESULTS, search_help

_MOST_QUERY = 200


class HelpSection(ConsoleSection):
    """The documents, for every member."""

    area, title, menu_order = "help", "Help", 20

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("", guard(require_safe(self.list_view)), name="list"),
            path("files/<str:name>", guard(require_safe(self.file_view)), name="file"),
            path("<slug:name>/", guard(require_safe(self.page_view)), name="page"),
        ]

    def list_view(self, request: ViewerRequest) -> HttpResponse:
        """List the pages; with a query, the sections that match."""
        query = request.GET.get("q", "").strip()[:_MOST_QUERY]
        return render_page(
            request,
            "help/list.html",
            query=query,
            groups=library().groups,
            results=search_help(library(), query),
            most=MOST_RESULTS,
        )

    def page_view(self, request: ViewerRequest, name: str) -> HttpResponse:
        """Show one document."""
        page = library().pages.get(name)
        if page is None:
            raise Http404("No such page.")
        return render_page(request, "help/page.html", title=page.title, page=page)

    def file_view(self, request: ViewerRequest, name: str) -> HttpResponse:
        """Serve an image, or a program as a download."""
        file = library().files.get(name)
        if file is None:
            raise Http404("No such file.")
        response = HttpResponse(file.path.read_bytes(), content_type=file.content_type)
        if not file.content_type.startswith("image/"):
            response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


site.add(HelpSection(site))
