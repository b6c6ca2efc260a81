"""Numbers of rows on pages: each is a link to the list that shows exactly these rows."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.core.lists.counting import count_text

register = template.Library()
_NOT_KEPT = "Older entries have been removed from the log."


@register.simple_tag
def count(number: int, address: str = "", words: str = "", about: str = "") -> SafeString:
    """Return `number` as a link to its rows at `address`.

    `words` is the noun beside it, as "call" or "entry,entries"; `about` completes the link's name for screen readers.
    Without an address some rows are not kept any more, and the number is text.
    """
    text = f"{count_text(number)} {_noun(number, words)}" if words else count_text(number)
    hidden = format_html('<span class="visually-hidden"> {}</span>', about) if about else ""
    if not address:
        return format_html('<span class="number" title="{}">{}{}</span>', _NOT_KEPT, text, hidden)
    quiet = "" if number else " is-none"
    return format_html(
        '<a class="count{}" data-count="{}" href="{}">{}{}</a>',
        quiet,
        count_text(number).replace(",", ""),
        address,
        text,
        hidden,
    )


def _noun(number: int, words: str) -> str:
    one, _, many = words.partition(",")
    return one if number == 1 else many or f"{one}s"
