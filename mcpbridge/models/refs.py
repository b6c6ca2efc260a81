"""What identifies a token in rows, caches and locks."""

from typing import NamedTuple


class TokenRef(NamedTuple):
    """One token, by what is public of it."""

    env: str
    prefix: str

    def __str__(self) -> str:
        return f"hsk_{self.env}_{self.prefix}"
