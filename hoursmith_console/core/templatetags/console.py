"""How the console writes times, numbers, names and records into its pages."""

import html
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from hoursmith_console.core.record_fields import Fields
from hoursmith_console.core.record_fields import labelled as fields_of
from hoursmith_console.core.times import rendering, zones
from mcpbridge.redaction.visible_text import marked

register = template.Library()
for each in (rendering.when, rendering.ago, rendering.exact, rendering.exact_now, rendering.moment, rendering.day):
    register.simple_tag(each)
register.simple_tag(zones.current_zone_name, name="time_zone")

_TINTS = 6


@register.inclusion_tag("console/_sandbox.html")
def sandbox() -> dict[str, bool]:
    """The badge that says when this is the sandbox, also on pages that know no workspace."""
    return {"is_sandbox": settings.SANDBOX_MODE}


@register.simple_tag
def manage_command() -> str:
    """How an operator runs a management command here."""
    return str(settings.MANAGE_COMMAND)


@register.simple_tag
@lru_cache(maxsize=4096, typed=True)
def part(template_name: str, **facts: Any) -> SafeString:
    """The template `template_name` with `facts` and nothing else, made once for the same ones and remembered.

    For small parts that long lists repeat. Never for one that holds a secret: what it is made of stays in memory.
    """
    # By type too: text that is marked as safe is equal to the same text that is not.
    return render_to_string(template_name, facts)


@register.simple_tag
def page(area: str, key: Any) -> str:
    """The address of one row's page in `area`."""
    return f"{_list_address(area, get_script_prefix())}{key}/"


@lru_cache
def _list_address(area: str, script_prefix: str) -> str:
    return reverse(f"console:{area}:list")


@register.simple_tag
def options(offered: Iterable[Mapping[str, Any]]) -> SafeString:
    """The options of a select element, which can be hundreds."""
    made = (
        f'<option value="{html.escape(str(option["value"]))}"{" selected" if option["is_chosen"] else ""}>'
        f"{html.escape(str(option['label']))}</option>"
        for option in offered
    )
    return mark_safe("".join(made))  # noqa: S308 - every value is escaped above


@register.simple_tag
def sort_header(changes: Any, column: str, label: str, css: str = "") -> SafeString:
    """The heading of a sortable column: a link that sorts by it, or turns the order around."""
    header = changes.header(column)
    direction = header["direction"]
    sort = format_html(' aria-sort="{}"', direction) if direction else ""
    arrow = {"ascending": " ↑", "descending": " ↓"}.get(direction, "")
    mark = format_html('<span aria-hidden="true">{}</span>', arrow) if arrow else ""
    return format_html(
        '<th scope="col" role="columnheader" class="sortable {}"{}><a href="{}">{}{}</a></th>',
        css,
        sort,
        header["address"],
        label,
        mark,
    )


@register.filter
def thousands(number: float | None) -> str:
    """`number` with its thousands apart: 123,456,789."""
    return "–" if number is None else f"{number:,}"


@register.filter
def milliseconds(duration: float | None) -> str:
    """A duration as a person reads it: "34 ms", "1.2 s"."""
    if duration is None:
        return "–"
    return f"{duration:,.0f} ms" if duration < 1000 else f"{duration / 1000:,.1f} s"


@register.filter
def words(key: str) -> str:
    """`time_entry` as "time entry"."""
    return key.replace("_", " ")


@register.filter
def full_stop(text: str) -> str:
    """Return `text` as the end of a sentence: with a full stop, unless it ends a sentence already."""
    text = str(text).rstrip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


@register.filter
def fault(code: str) -> str:
    """Return why a token was rejected."""
    known = {"rejected": "Hoursmith does not accept it", "blocked": "blocked in this console"}
    return known.get(code, code.replace("_", " "))


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "a Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@register.filter
def browser(agent: str) -> str:
    """What a browser's name for itself means: "Firefox on Windows"."""
    name = next((name for sign, name in _BROWSERS if sign in agent), "A browser")
    system = next((system for sign, system in _SYSTEMS if sign in agent), "")
    return f"{name} on {system}" if system else name


@register.filter
def initials(name: str) -> str:
    """Two letters that stand for an assistant: "CD" for Claude Desktop, "CU" for cursor."""
    parts: list[str] = re.findall(r"[^\W_]+", name)
    if len(parts) > 1:
        return (parts[0][0] + parts[1][0]).upper()
    return parts[0][:2].upper() if parts else "?"


@register.filter
def tint(name: str) -> int:
    """Which of the tints a name has: the same on every page and in every process."""
    return zlib.crc32(name.encode()) % _TINTS


@register.filter
def labelled(record: Any) -> Fields:
    """A record's fields, labelled."""
    return fields_of(record)


@register.filter
def raw(record: Any) -> str:
    """Return a record as JSON, with hidden characters marked."""
    return marked(json.dumps(record, indent=2, ensure_ascii=False))
