"""The callers: each has a token of its own, and the upstream's answers show whose token it saw."""

import hashlib
import secrets
import string
import uuid
from dataclasses import asdict, dataclass

_BASE62 = string.digits + string.ascii_letters


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller. `echo` is what the upstream puts into every record that it shows to this token."""

    token: str
    prefix: str
    record_id: str
    echo: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def echo_of(token: str) -> str:
    """A mark that only a request with the whole `token` can bring back."""
    return hashlib.blake2s(token.encode(), digest_size=10).hexdigest()


def make_callers(count: int) -> list[Caller]:
    """`count` callers with fresh tokens of the documented shape."""
    made = []
    for _ in range(count):
        prefix = secrets.token_hex(6)
        token = "_".join(("hsk", "test", prefix, "".join(secrets.choice(_BASE62) for _ in range(32))))
        made.append(Caller(token, prefix, str(uuid.uuid4()), echo_of(token)))
    return made
