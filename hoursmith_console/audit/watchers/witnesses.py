"""What each witness last answered about a workspace's log, for its page."""

from dataclasses import dataclass
from datetime import datetime

from mcpbridge.audit.witnesses.config import configured_witnesses
from mcpbridge.audit.witnesses.errors import RefusalKind
from mcpbridge.models import WitnessStatus

_TITLES = {
    RefusalKind.BEHIND: "The end of the log is missing",
    RefusalKind.CHANGED: "The log was changed",
    RefusalKind.CONFIGURATION: "Not configured",
    RefusalKind.UNAVAILABLE: "Unavailable",
}


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """One witness: `title` names its fault in a few words, `fault` in a sentence; both empty if it cosigns."""

    name: str
    url: str
    size: int
    cosigned_at: datetime | None
    title: str
    fault: str


def witness_rows(org_id: str) -> list[WitnessRow]:
    """Return a row for each witness of this console, in one query."""
    witnesses = configured_witnesses()
    if not witnesses:
        return []
    statuses = {status.witness: status for status in WitnessStatus.objects.filter(org_id=org_id)}
    return [_row(witness.name, witness.url, statuses.get(witness.name)) for witness in witnesses]


def _row(name: str, url: str, status: WitnessStatus | None) -> WitnessRow:
    if status is None:
        return WitnessRow(name, url, 0, None, "", "")
    title = _TITLES[RefusalKind(status.refusal)] if status.refusal else ""
    return WitnessRow(name, url, status.size, status.cosigned_at, title, status.fault)
