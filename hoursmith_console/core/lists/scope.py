"""Links above a list: tabs, which set filters in front of all others, and quick ranges of time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hoursmith_console.core.lists.time_filter import TimeFilter

if TYPE_CHECKING:
    from hoursmith_console.core.lists.changelist import KeysetChangeList

Tabs = Mapping[str, Mapping[str, str]]


def tab_links(changes: "KeysetChangeList", tabs: Tabs) -> list[dict[str, Any]]:
    """Return a link to the list in each of `tabs`, which keeps the other filters."""
    names, here = sorted(_names(tabs)), current_tab(changes, tabs)
    return [
        {"label": label, "address": changes.address(*tab.items(), without=names), "is_here": tab == here}
        for label, tab in tabs.items()
    ]


def current_tab(changes: "KeysetChangeList", tabs: Tabs) -> Mapping[str, str]:
    """Return the filters of `tabs` that the address sets; no tab may have them."""
    names = _names(tabs)
    return {name: value for name, value in changes.active_params() if name in names}


def range_links(changes: "KeysetChangeList") -> list[dict[str, Any]]:
    """Return a link to the list in each quick range; the chosen one leads back to all times."""
    found = changes.time.quick_ranges() if changes.time else []
    return [{**each, "address": _range_address(changes, each)} for each in found]


def _range_address(changes: "KeysetChangeList", each: Mapping[str, Any]) -> str:
    chosen = [] if each["is_chosen"] else [("range", str(each["value"]))]
    return changes.address(*chosen, without=TimeFilter.PARAMETERS)


def _names(tabs: Tabs) -> set[str]:
    return {name for tab in tabs.values() for name in tab}
