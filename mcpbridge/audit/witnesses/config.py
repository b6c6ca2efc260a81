"""Read AUDIT_WITNESSES: `<verifier key> <address>`, separated by commas."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mcpbridge.audit.destinations.errors import DestinationError
from mcpbridge.audit.destinations.targets import secret_webhook_target
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.notes import COSIGNATURE, VerifierKey


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness: the key of its cosignatures, and the address before `/add-checkpoint`."""

    key: VerifierKey
    url: str

    @property
    def name(self) -> str:
        """Return the name of its key."""
        return self.key.name


def parse_witnesses(text: str) -> list[Witness]:
    """Return the witnesses that AUDIT_WITNESSES names. Raises ValueError with a sentence that names the fault."""
    found = [_parse(entry) for entry in text.split(",") if entry.strip()]
    names = [witness.name for witness in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"AUDIT_WITNESSES names {twice} twice.")
    return found


def check_witnesses(text: str) -> str:
    """Return `text`, a value of AUDIT_WITNESSES. Raises ImproperlyConfigured."""
    try:
        parse_witnesses(text)
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None
    return text


def configured_witnesses() -> Sequence[Witness]:
    """Return the witnesses of this console."""
    return _configured(settings.AUDIT_WITNESSES)


@lru_cache(maxsize=2)
def _configured(text: str) -> Sequence[Witness]:
    return tuple(parse_witnesses(text))


def _parse(entry: str) -> Witness:
    parts = entry.split()
    if len(parts) != 2:
        raise ValueError(f"AUDIT_WITNESSES: {entry.strip()!r} is not a verifier key and an address.")
    try:
        key = VerifierKey.parse(parts[0])
    except FormatError as error:
        raise ValueError(f"AUDIT_WITNESSES: {parts[0]!r}: {error}.") from None
    if key.kind != COSIGNATURE:
        raise ValueError(f"AUDIT_WITNESSES: {key.name} is not a key for cosignatures (type 4).")
    url = parts[1].rstrip("/")
    try:
        secret_webhook_target(url)
    except DestinationError as error:
        raise ValueError(f"AUDIT_WITNESSES: {url}: {error}") from None
    if "?" in url:
        raise ValueError(f"AUDIT_WITNESSES: the address {url} has a query.")
    return Witness(key, url)
