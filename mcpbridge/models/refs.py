"""What identifies a token in rows, caches and locks."""

from typing import NamedTuple


class TokenRef(NamedTuple):
    """One token, by what is public of it."""

    env: str
    prefix: str

    def __str__(self) -> str:
        return f"hsk_{self.env}_{self.prefix}"

    @property
    def masked(self) -> str:
        """The token with its secret masked: `hsk_live_4f8a2c1bdedf_••••`."""
        return f"{self}_••••"

    @property
    def address(self) -> str:
        """The token as URLs and forms name it: `live_4f8a2c1bdedf`."""
        return f"{self.env}_{self.prefix}"
