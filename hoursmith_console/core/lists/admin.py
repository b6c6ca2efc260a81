"""The read-only face of a record: a list and a detail page, both only of what the viewer may see."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib.admin import ModelAdmin, ShowFacets
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from hoursmith_console.core.lists.changelist import SORT, KeysetChangeList
from hoursmith_console.core.lists.pagination import MOST_BRANCHES, Key, Order, keyset_page_by_branch
from hoursmith_console.core.saved_views.pages import ViewPages
from hoursmith_console.core.viewer import ViewerRequest

if TYPE_CHECKING:
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN = re.compile(r"hsk_(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})(?![0-9A-Za-z])")


class ReadOnlyModelAdmin(_ModelAdmin):
    """One area of records. Nothing is added, changed or deleted here, by anybody.

    A subclass says its `area` (the address), `title`, `menu_order` and the instant it is ordered by.
    """

    area: ClassVar[str]
    title: ClassVar[str]
    menu_order: ClassVar[int]
    detail_converter: ClassVar[str] = "int"
    # What the list can be ordered by, the usual one first; the name goes into the address.
    orders: ClassVar[Mapping[str, Order]] = {"": Order("at")}
    # One ordered scan of an index for each, where nothing else narrows the list.
    base_branches: ClassVar[Sequence[Q]] = ()
    # Whether sorting the whole list costs little; then nothing is read in windows, and any column may order it.
    is_short: ClassVar[bool] = False
    # Whether people may keep views of the list; its template shows them.
    keeps_views: ClassVar[bool] = False
    # Filters at one click: label, parameter, value.
    quick_filters: ClassVar[Sequence[tuple[str, str, str]]] = ()
    # The orders of each sortable column by name: the one that its heading offers first, and the other direction.
    sort_columns: ClassVar[Mapping[str, tuple[str, str]]] = {}
    # Columns that can be large and that no list shows.
    list_defer: ClassVar[Sequence[str]] = ()

    actions = None
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER

    def get_urls(self) -> list[URLPattern]:
        list_view = self.admin_site.admin_view(require_safe(self.list_view))
        detail_view = self.admin_site.admin_view(require_safe(self.detail_view))
        return [
            path("", list_view, name="list"),
            *(ViewPages(self).urls() if self.keeps_views else []),
            path(f"<{self.detail_converter}:key>/", detail_view, name="detail"),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_ordering(self, request: HttpRequest) -> list[str | Combinable]:
        # The usual one; the list itself puts the order of the address in its place.
        return list(next(iter(self.orders.values())).columns)

    def sort_of(self, request: Any) -> str:
        """The name of the order in the address; the usual one where it names none."""
        asked = request.GET.get(SORT, "")
        return asked if asked in self.orders else next(iter(self.orders))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible_to(cast(ViewerRequest, request).viewer).order_by(*self.get_ordering(request))

    def visible_to(self, viewer: Any) -> QuerySet[Any]:
        """Return the rows that `viewer` may see; every page of the section starts from these."""
        raise NotImplementedError

    def tabs(self, viewer: Any) -> Mapping[str, Mapping[str, str]]:
        """Return the tabs above the list: each label with the filters that it sets."""
        return {}

    def visible_branches(self, viewer: Any) -> list[Q] | None:
        """Return what `visible_to` adds to the workspace as index branches; None where it adds nothing."""
        return None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return rows that contain the search term; a token prefix or a record's id has to match exactly."""
        if hasattr(self.model, "prefix") and (match := _TOKEN.search(search_term)):
            return queryset.filter(env=match["env"], prefix=match["prefix"]), False
        if "target_id" in self.search_fields and _ID.fullmatch(search_term.strip()):
            return queryset.filter(target_id__gt="", target_id=search_term.strip().lower()), False
        return super().get_search_results(request, queryset, search_term)

    def choice_counts(self, viewer: Any) -> Mapping[str, Mapping[str, int]]:
        """Return the number of rows by parameter and value, of all that `viewer` sees, where that costs little."""
        return {}

    def is_exact_search(self, search_term: str) -> bool:
        """Whether an index finds what is searched for."""
        return bool(_TOKEN.search(search_term) or _ID.fullmatch(search_term.strip()))

    def list_view(self, request: Any) -> HttpResponse:
        """The newest rows that fit the filters in the address."""
        changes = cast(KeysetChangeList, self.get_changelist_instance(request))
        shown = self.list_context(request.viewer, list(changes.result_list))
        context = {
            "title": self.title,
            "cl": changes,
            **shown,
            **(ViewPages(self).context(request, changes) if self.keeps_views else {}),
            **self.page_context(request, changes, shown),
        }
        return TemplateResponse(request, f"{self.area}/list.html", context)

    def detail_view(self, request: Any, key: Any) -> HttpResponse:
        """One row; what the viewer may not see does not exist."""
        return self.detail_response(request, get_object_or_404(self.get_queryset(request), **self.detail_lookup(key)))

    def detail_response(self, request: Any, row: Any, *, status: int = 200, **more: Any) -> HttpResponse:
        """The page of `row`, with `more` for its template."""
        context = {
            **self.detail_context(request.viewer, row),
            **more,
        }
        return TemplateResponse(request, f"{self.area}/detail.html", context, status=status)

    def neighbours(self, viewer: Any, row: Any, **same: Any) -> dict[str, Any]:
        """Return the row before and the row after `row` in time, of those that the viewer sees and that are `same`."""
        order, branches = next(iter(self.orders.values())), self.visible_branches(viewer) or []
        # Of many tokens, one scan of them all.
        branches = branches if len(branches) <= MOST_BRANCHES else []
        rows = self.visible_to(viewer).filter(**same).defer(*self.list_defer)
        start = Key(getattr(row, order.field), row.pk)
        return {
            name: next(iter(keyset_page_by_branch(rows, towards, start, 1, branches).rows), None)
            for name, towards in (("earlier", order), ("later", order.turned()))
        }

    def detail_lookup(self, key: Any) -> dict[str, Any]:
        """How the key in the address finds its row."""
        return {"pk": key}

    def list_context(self, viewer: Any, rows: list[Any]) -> dict[str, Any]:
        """What the list's template needs beside the change list."""
        raise NotImplementedError

    def page_context(self, request: Any, changes: KeysetChangeList, shown: Mapping[str, Any]) -> dict[str, Any]:
        """What it needs besides that depends on the address; `shown` is what `list_context` said."""
        return {}

    def detail_context(self, viewer: Any, row: Any) -> dict[str, Any]:
        """What the detail's template needs; `title` among it."""
        raise NotImplementedError
