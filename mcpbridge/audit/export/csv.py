"""Write CSV by RFC 4180: UTF-8, a header line, CR LF line ends, JSON columns as JSON text.

A spreadsheet takes a cell for a formula that begins with one of `= + - @`, in full width too, or with a tab or a line
break (OWASP, CSV Injection). Such cells, and those that begin with an apostrophe anyway, get an apostrophe in front: to
read a value, take off one leading apostrophe.
"""

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence

from mcpbridge.audit.export.columns import COLUMNS, cell_text, columns_of
from mcpbridge.audit.verification.records import Event

CONTENT_TYPE = "text/csv; charset=utf-8"
_DANGEROUS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n", "'")


def lines(events: Iterable[Event]) -> Iterator[bytes]:
    """Return the line of names, then one line for each row."""
    values = map(columns_of, events)
    return csv_lines(COLUMNS, ([cell_text(name, row[name]) for name in COLUMNS] for row in values))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Return `header` and `rows` as lines of CSV, no cell a formula; a line may contain line breaks within quotes."""
    writer = csv.writer(_Line(), lineterminator="\r\n")
    for row in itertools.chain([header], rows):
        line: str = writer.writerow([protected(cell) for cell in row])
        yield line.encode(errors="backslashreplace")


def protected(text: str) -> str:
    """Return `text` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


class _Line:
    """A file for csv.writer that returns each line to the caller."""

    def write(self, text: str) -> str:
        """Return the line."""
        return text
