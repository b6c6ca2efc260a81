"""The page of search results. Django's admin imports it at start-up."""

import re

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_safe

from hoursmith_console.core.site import site
from hoursmith_console.core.texts import one_line
from hoursmith_console.core.views import render_page
from hoursmith_console.search.groups import groups_for, help_group
from hoursmith_console.search.ids import page_of_id
from hoursmith_console.workspaces.viewer import ConsoleRequest

MOST_QUERY = 200
FEWEST_LETTERS = 2
# How a page shows a token, up to and including its mask; lists search for the prefix without that beginning.
_SHOWN_TOKEN = re.compile(r"^hsk_(?:live|test)_(?P<prefix>[0-9A-Za-z]{1,11})$")


def search(request: ConsoleRequest) -> HttpResponse:
    """Show what the query finds, by kind; redirect to the page that an id names, or to a single hit."""
    query = one_line(request.GET.get("q", ""), MOST_QUERY)
    if len(query) < FEWEST_LETTERS:
        return render_page(request, "search/page.html", title="Search", query=query, groups=[], fewest=FEWEST_LETTERS)
    if address := page_of_id(request, query):
        return HttpResponseRedirect(address)
    words = _SHOWN_TOKEN.sub(r"\g<prefix>", query)
    groups = list(groups_for(request, words))
    hits = [hit for group in groups for hit in group.hits]
    if len(hits) == 1 and all(group.is_complete for group in groups):
        return HttpResponseRedirect(hits[0].address)
    if found := help_group(query):
        groups.append(found)
    return render_page(
        request, "search/page.html", title="Search", query=query, groups=groups, has_hits=bool(hits), fewest=0
    )


site.add_urls(path("search/", site.admin_view(require_safe(search)), name="search"))
