"""Goes through the five usual troubles of a connection, in Hoursmith's own order, and says which one it is.

It concludes from what the bridge saw alone: what never reached the bridge, it can only narrow down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from hoursmith_console.connections.catalogue import Client
from hoursmith_console.connections.diagnostics.causes import FORBIDDEN_PLAN, trouble_of
from mcpbridge.core.credential import CredentialErrorCode


class Verdict(models.TextChoices):
    """What can be said of one trouble."""

    FOUND = "found", "This is it"
    POSSIBLE = "possible", "It may be this"
    CLEAR = "clear", "Not this"
    LATER = "later", "Cannot be told yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the bridge saw. `fault` is the last refusal at the connection's address, `last_seen_at` the last success.

    `elsewhere_at`: when the same client last called with a token of the same person at another address than the
    connection's, since the connection was made. `newer_token`: the person's newest token by its public part, where
    it is newer than the one that was last sent.
    """

    fault: str = ""
    fault_at: datetime | None = None
    fault_token: str = ""
    last_seen_at: datetime | None = None
    called_at: datetime | None = None
    elsewhere_at: datetime | None = None
    newer_token: str = ""

    @property
    def is_faulty(self) -> bool:
        """Whether the last thing that happened was a refusal."""
        if not self.fault or self.fault_at is None:
            return False
        return self.last_seen_at is None or self.fault_at > self.last_seen_at

    @property
    def has_arrived(self) -> bool:
        """Whether anything ever came to the connection's address."""
        return self.last_seen_at is not None or self.fault_at is not None

    @property
    def sends_old_token(self) -> bool:
        """Whether what is refused now is a token that the person has replaced."""
        return (
            self.is_faulty
            and self.fault in (CredentialErrorCode.REJECTED, CredentialErrorCode.BLOCKED)
            and bool(self.newer_token)
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One of the five: what is said of it, why, and what to do."""

    key: str
    title: str
    verdict: Verdict
    because: str
    mends: tuple[str, ...] = ()


def diagnosis(*, client: Client, evidence: Evidence) -> list[Finding]:
    """The five findings for a connection of `client`, in Hoursmith's order."""
    return [
        _token(client, evidence),
        _plan(client, evidence),
        _node(client, evidence),
        _file(client, evidence),
        _restart(client, evidence),
    ]


def _token(client: Client, evidence: Evidence) -> Finding:
    title = "The token is missing or malformed"
    if evidence.is_faulty and evidence.fault != FORBIDDEN_PLAN:
        trouble = trouble_of(evidence.fault, client)
        if evidence.sends_old_token:
            because = "A token arrives whole, but it is an old one; see the last point."
            return Finding("token", title, Verdict.POSSIBLE, because, trouble.mends)
        return Finding("token", title, Verdict.FOUND, f"{trouble.title}.", trouble.mends)
    if evidence.has_arrived:
        return Finding("token", title, Verdict.CLEAR, "The last token that arrived was well formed and accepted.")
    because = "Nothing has arrived, not even a faulty token, so something further down keeps the client from calling."
    return Finding("token", title, Verdict.LATER, because)


def _plan(client: Client, evidence: Evidence) -> Finding:
    title = "The workspace's plan has no API access (402)"
    if evidence.is_faulty and evidence.fault == FORBIDDEN_PLAN:
        mends = trouble_of(evidence.fault, client).mends
        return Finding("plan", title, Verdict.FOUND, "Hoursmith answered 402 to the last call.", mends)
    if evidence.called_at is not None:
        return Finding("plan", title, Verdict.CLEAR, "Hoursmith has answered calls of this connection.")
    return Finding("plan", title, Verdict.LATER, "Hoursmith says so at the first call, and there was none yet.")


def _node(client: Client, evidence: Evidence) -> Finding:
    title = "Node.js is too old"
    if not client.needs_node:
        return Finding("node", title, Verdict.CLEAR, f"{client.title} calls by itself, without Node.js.")
    if evidence.has_arrived:
        return Finding("node", title, Verdict.CLEAR, "Requests arrive, so npx could start.")
    mends = (
        "Type node --version in a terminal: it must say v18 or higher.",
        "An app started from the dock or the start menu may find another Node.js than your terminal does.",
    )
    return Finding("node", title, Verdict.POSSIBLE, f"{client.title} starts npx, and nothing has arrived.", mends)


def _file(client: Client, evidence: Evidence) -> Finding:
    title = "The entry is in the wrong configuration file"
    if evidence.elsewhere_at is not None and not (evidence.last_seen_at and not evidence.is_faulty):
        because = f"{client.title} does call with a token of the same person, but at another address than this one."
        mends = ("Put this connection's address into the entry, and remove the older entry.", *_paths(client))
        return Finding("file", title, Verdict.FOUND, because, mends)
    if evidence.has_arrived:
        return Finding("file", title, Verdict.CLEAR, "Requests arrive at this connection's address.")
    return Finding("file", title, Verdict.POSSIBLE, "Nothing has arrived.", tuple(_paths(client)))


def _restart(client: Client, evidence: Evidence) -> Finding:
    title = "The client was not restarted"
    if evidence.sends_old_token:
        because = f"It still sends {evidence.fault_token or 'an old token'}, although {evidence.newer_token} is newer."
        return Finding("restart", title, Verdict.FOUND, because, (client.restart, *client.troubles))
    if not evidence.has_arrived:
        mends = (client.restart, *client.troubles)
        return Finding("restart", title, Verdict.POSSIBLE, "Nothing has arrived.", mends)
    if evidence.is_faulty:
        because = "If you have mended the configuration since the last refusal, the client has not read it yet."
        return Finding("restart", title, Verdict.POSSIBLE, because, (client.restart,))
    return Finding("restart", title, Verdict.CLEAR, "The last request was accepted.")


def _paths(client: Client) -> Iterator[str]:
    for place in client.places:
        found = dict.fromkeys(f"{system.label}: {path}" for system, path in place.paths.items())
        yield f"{place.title}: {' · '.join(found)}"
