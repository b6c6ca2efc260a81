"""Lists that are followed live: what came since the last look is put on top of a list that is open.

A list is ordered by when things began; the tail by when they were written down. So a call that took long, or that
another worker wrote late, comes in all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, cast

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from hoursmith_console.core.keys import key_from
from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.core.lists.pagination import instant_text, parse_instant

FOLLOW = "live"
# Of one answer; what came besides comes with the next.
MOST_AT_ONCE = 50
# More would only make the page heavy; a new look at the list is one click away.
MOST_ADDED = 500
_MOST_OPEN = 20
_NOTHING_NEW = 204


class LiveCursor(NamedTuple):
    """Up to where a tail has brought what was written: the last row's number, and when that was looked for."""

    at: datetime
    number: int

    def __str__(self) -> str:
        return f"{instant_text(self.at)}_{self.number}"


def parse_cursor(text: str) -> LiveCursor | None:
    """The cursor in an address; None where it is not one of ours."""
    instant, _, number = text.partition("_")
    try:
        return LiveCursor(parse_instant(instant), int(number[:18]))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """What came since a cursor: `rows`, newest first, that cursor now, and rows on the page that read otherwise now."""

    cursor: LiveCursor
    rows: Sequence[Any] = ()
    changed: Sequence[Any] = ()
    open_keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Tail:
    """What `console/_live.html` shows: the state, and the addresses that lead to the next one."""

    area: str
    noun: str
    state: str
    changes: KeysetChangeList
    cursor: LiveCursor | None = None
    open_keys: Sequence[str] = ()
    added: int = 0
    is_empty: bool = False

    @property
    def poll(self) -> str:
        """What is asked every three seconds."""
        return self._tail()

    @property
    def pause(self) -> str:
        """Stops asking."""
        return self._tail(("pause", "1"))

    @property
    def resume(self) -> str:
        """Return the link that resumes, with the rows that came meanwhile."""
        return self._tail(("resume", "1"))

    @property
    def follow_page(self) -> str:
        """The list, followed."""
        return reverse(f"console:{self.area}:list") + self.changes.address((FOLLOW, "1"))

    @property
    def still_page(self) -> str:
        """The list, as it is."""
        return reverse(f"console:{self.area}:list") + self.changes.address()

    def _tail(self, *more: tuple[str, str]) -> str:
        cursor = [("place", str(self.cursor)), ("added", str(self.added))]
        cursor += [("empty", "1")] if self.is_empty else []
        cursor += [("open", ",".join(self.open_keys[:_MOST_OPEN]))] if self.open_keys else []
        return reverse(f"console:{self.area}:tail") + self.changes.address(*cursor, *more)


class LiveListAdmin(ReadOnlyModelAdmin):
    """An area whose list can be followed. A subclass says what a row is called and what its templates show of one."""

    keeps_views = True
    noun: ClassVar[str]
    # In whose order rows are written.
    number: ClassVar[str]

    def listed(self, viewer: Any, rows: list[Any]) -> list[Any]:
        """`rows` as `_row_list.html` shows them."""
        raise NotImplementedError

    def last_number(self, viewer: Any) -> int:
        """The number of what was written last, behind which nothing with a lower number can come to be seen."""
        raise NotImplementedError

    def updates(self, request: Any, changes: KeysetChangeList, cursor: LiveCursor, open_keys: set[str]) -> LiveUpdate:
        """What came behind `cursor` and fits the filters; of `open_keys` those that read otherwise now."""
        raise NotImplementedError

    def open_keys(self, listed: Sequence[Any]) -> list[str]:
        """Which of the rows may still come to read otherwise."""
        return []

    def contents(self, viewer: Any, row: Any) -> dict[str, Any]:
        """Return the context of `_contents.html`: what a list shows of one row on demand."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        guard, key = self.admin_site.admin_view, f"<{self.detail_converter}:key>"
        return [
            path("tail/", guard(require_safe(self.tail_view)), name="tail"),
            path(f"{key}/contents/", guard(require_safe(self.contents_view)), name="contents"),
            *super().get_urls(),
        ]

    def contents_view(self, request: Any, key: Any) -> HttpResponse:
        """What a row holds, for the fold that asks for it; without script, the page of the row."""
        row = get_object_or_404(self.get_queryset(request), **self.detail_lookup(key))
        if not request.headers.get("HX-Request"):
            return HttpResponseRedirect(reverse(f"console:{self.area}:detail", args=[key]))
        return TemplateResponse(request, f"{self.area}/_contents.html", self.contents(request.viewer, row))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        cursor: LiveCursor | None = getattr(request, "live_cursor", None)
        # What came since the cursor was taken is the tail's to bring, so that it comes once.
        return rows if cursor is None else rows.filter(**{f"{self.number}__lte": cursor.number})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return FilterOnlyChangeList if hasattr(request, "is_tail") else super().get_changelist(request, **kwargs)

    def list_view(self, request: Any) -> HttpResponse:
        if FOLLOW in request.GET:
            # Asked before the list is read, so that nothing is lost in between.
            request.live_cursor = self._cursor_now(request)
        return super().list_view(request)

    def live_context(self, request: Any, changes: KeysetChangeList, listed: Sequence[Any]) -> dict[str, Any]:
        """What the list's template shows of the tail, on the page that has the newest rows."""
        if changes.before or changes.after:
            return {}
        cursor: LiveCursor | None = getattr(request, "live_cursor", None)
        if cursor is None:
            return {"tail": Tail(self.area, self.noun, "off", changes)}
        is_empty = not changes.result_list
        return {"tail": Tail(self.area, self.noun, "live", changes, cursor, self.open_keys(listed), is_empty=is_empty)}

    def tail_view(self, request: Any) -> HttpResponse:
        """What is newer than the cursor in the address, for htmx to put on top."""
        request.is_tail = True
        changes = cast(KeysetChangeList, self.get_changelist_instance(request))
        asked = parse_cursor(request.GET.get("place", "")) or self._cursor_now(request)
        open_keys = {key for key in request.GET.get("open", "").split(",") if key}
        is_paused, is_resumed, is_empty = (name in request.GET for name in ("pause", "resume", "empty"))
        update = (
            LiveUpdate(asked, open_keys=sorted(open_keys))
            if is_paused
            else self.updates(request, changes, asked, open_keys)
        )
        if not (is_paused or is_resumed or update.changed) and update.cursor.number == asked.number:
            return HttpResponse(status=_NOTHING_NEW)
        if update.rows and is_empty:
            # There is no table yet to put them into.
            return HttpResponse(headers={"HX-Refresh": "true"})
        added = _added(request) + len(update.rows)
        state = "paused" if is_paused else "full" if added >= MOST_ADDED else "live"
        tail = Tail(self.area, self.noun, state, changes, update.cursor, update.open_keys, added, is_empty)
        context = {
            "tail": tail,
            "rows": update.rows,
            "changed": update.changed,
            "row_list": f"{self.area}/_row_list.html",
        }
        return TemplateResponse(request, "console/_live_update.html", context)

    def _cursor_now(self, request: Any) -> LiveCursor:
        return LiveCursor(timezone.now(), self.last_number(request.viewer))


class FilterOnlyChangeList(KeysetChangeList):
    """A list of which nothing but the filters is wanted."""

    def get_results(self, request: HttpRequest) -> None:
        self.sort = self._admin.sort_of(request)
        self.result_list, self.result_count, self.multi_page = [], 0, False


def _added(request: Any) -> int:
    return min(key_from(request.GET.get("added", "")) or 0, 99_999)
