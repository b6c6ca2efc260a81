"""Looks into a console's SQLite file from outside."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any


def sqlite_rows(path: Path, question: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """The rows that answer `question`, by column name."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(question, parameters)]
