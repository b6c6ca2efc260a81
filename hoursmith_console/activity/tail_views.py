"""The live tail of the activity: the calls that came since the last look, put on top of a list that is open."""

from typing import TYPE_CHECKING, Any, cast

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.activity.rows import activity_rows
from hoursmith_console.ledger import viewer
from hoursmith_console.listing import NEWER, KeysetChangeList

if TYPE_CHECKING:
    from hoursmith_console.activity.admin import ActivityAdmin

FOLLOW = "live"
# More would only make the page heavy; a new look at the list is one click away.
MOST_ADDED = 500
_NOTHING_NEW = 204


class TailView:
    """GET answers with what is newer than the cursor in the address, for htmx to put in place."""

    def __init__(self, admin: "ActivityAdmin") -> None:
        self._admin = admin

    def __call__(self, request: HttpRequest) -> HttpResponse:
        changes = cast(KeysetChangeList, self._admin.get_changelist_instance(request))
        if "pause" in request.GET:
            return self._answer(request, changes, "paused", [])
        rows = list(changes.result_list)
        if not rows and "resume" not in request.GET:
            return HttpResponse(status=_NOTHING_NEW)
        if rows and "empty" in request.GET:
            # There is no table yet to put them into.
            return HttpResponse(headers={"HX-Refresh": "true"})
        added = _added(request) + len(rows)
        return self._answer(request, changes, "full" if added >= MOST_ADDED else "live", rows, added)

    def _answer(
        self, request: HttpRequest, changes: KeysetChangeList, state: str, rows: list[Any], added: int | None = None
    ) -> HttpResponse:
        after = changes.cursor(rows[0]) if rows else request.GET.get(NEWER, "")
        count = _added(request) if added is None else added
        is_empty = "empty" in request.GET
        context = {
            "tail": tail_context(changes, after, state, added=count, is_empty=is_empty),
            "rows": activity_rows(viewer(request), rows),
        }
        return TemplateResponse(request, "activity/_tail_answer.html", context)


def tail_context(
    changes: KeysetChangeList, after: str, state: str, *, added: int = 0, is_empty: bool = False
) -> dict[str, Any]:
    """What `activity/_tail.html` shows: the state, and the addresses that lead to the next one."""
    address = reverse("console:activity:tail")
    place = [(NEWER, after), ("added", str(added)), *([("empty", "1")] if is_empty else [])]
    return {
        "state": state,
        "poll": address + changes.address(*place),
        "pause": address + changes.address(*place, ("pause", "1")),
        "resume": address + changes.address(*place, ("resume", "1")),
        "follow_page": reverse("console:activity:list") + changes.address((FOLLOW, "1")),
        "still_page": reverse("console:activity:list") + changes.address(),
        "added": added,
    }


def _added(request: HttpRequest) -> int:
    text = request.GET.get("added", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
