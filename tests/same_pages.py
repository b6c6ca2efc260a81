"""Compares pages that should say the same, whenever they were rendered."""

import re

_TIME = re.compile(r"<time\b.*?</time>", re.DOTALL)


def without_times(page: str) -> str:
    """Return the HTML of `page` without its times, such as that of the request in what is printed."""
    return _TIME.sub("", page)
