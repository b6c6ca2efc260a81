"""CSV by RFC 4180: UTF-8, a line of names, lines ending in CR LF, JSON columns as JSON text.

A spreadsheet takes a cell for a formula that begins with one of `= + - @`, in full width too, or with a tab or a line
break (OWASP, CSV Injection). Such cells, and those that begin with an apostrophe anyway, get an apostrophe in front: to
read a value, take off one leading apostrophe.
"""

import csv
from collections.abc import Iterable, Iterator

from mcpbridge.export.columns import COLUMNS, cell_text, columns_of
from mcpbridge.verification.records import Event

CONTENT_TYPE = "text/csv; charset=utf-8"
_DANGEROUS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n", "'")


def lines(events: Iterable[Event]) -> Iterator[bytes]:
    """The line of names, then one line for each row; a line may contain line breaks within quotes."""
    writer = csv.writer(_Line(), lineterminator="\r\n")
    yield _line(writer.writerow(COLUMNS))
    for event in events:
        values = columns_of(event)
        yield _line(writer.writerow([protected(cell_text(name, values[name])) for name in COLUMNS]))


def protected(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _line(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


class _Line:
    """Hands the writer's line back to whoever called it."""

    def write(self, text: str) -> str:
        """The line itself."""
        return text
