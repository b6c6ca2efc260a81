"""Filters in use, as a list shows them: each with its name, its value, and a way to remove it."""

from typing import NamedTuple


class Chip(NamedTuple):
    """One filter in use; without its `parameters` in the address, it is off."""

    title: str
    label: str
    parameters: tuple[str, ...]
