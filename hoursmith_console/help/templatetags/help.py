"""What templates show of the help: the “?” of a page, and links from error codes."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.help.error_codes import anchor_of
from hoursmith_console.help.page_help import PageHelp
from hoursmith_console.help.page_texts import PAGE_TEXTS

register = template.Library()


@register.inclusion_tag("help/_page_help.html", takes_context=True)
def page_help(context: dict[str, Any]) -> dict[str, Any]:
    """Two sentences about the page that is shown, behind a “?”."""
    match = context["request"].resolver_match
    return {"help": _help_for(match.view_name) if match else None}


@register.simple_tag
def error_code(code: str) -> SafeString | str:
    """An error code, as a link to what it means where the help has it."""
    anchor = anchor_of(code)
    if not anchor:
        return code
    address = f"{reverse('console:help:page', args=['errors'])}#{anchor}"
    return format_html('<a class="code-link" href="{}" title="What this code means">{}</a>', address, code)


def _help_for(view_name: str) -> PageHelp | None:
    """Return the help of the page with this address name, else that of its section; None outside the console."""
    namespace, _, name = view_name.partition(":")
    if namespace != "console":
        return None
    return PAGE_TEXTS.get(name) or PAGE_TEXTS.get(f"{name.partition(':')[0]}:list")
