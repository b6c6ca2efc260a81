"""Check a connection for the five common problems, in the order of Hoursmith's documentation.

The checks use only what the bridge observed; requests that never arrived can only be narrowed down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from hoursmith_console.connections.catalogue import McpClient
from hoursmith_console.connections.diagnostics.causes import FORBIDDEN_PLAN, problem_for
from mcpbridge.core.credential import CredentialErrorCode


class CheckResult(models.TextChoices):
    """Result of one check."""

    FOUND = "found", "Cause found"
    POSSIBLE = "possible", "Possible"
    CLEAR = "clear", "OK"
    LATER = "later", "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the bridge observed of a connection: `fault` is the last rejection, `last_seen_at` the last success.

    `elsewhere_at`: when the same client last called with the owner's token at another address since the connection
    was created. `newer_token`: the prefix of the owner's newest token, if it is newer than the one last sent.
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
        """Whether the last request was rejected."""
        if not self.fault or self.fault_at is None:
            return False
        return self.last_seen_at is None or self.fault_at > self.last_seen_at

    @property
    def has_arrived(self) -> bool:
        """Whether the connection's address has received any request."""
        return self.last_seen_at is not None or self.fault_at is not None

    @property
    def sends_old_token(self) -> bool:
        """Whether the rejected token is older than the owner's newest."""
        return (
            self.is_faulty
            and self.fault in (CredentialErrorCode.REJECTED, CredentialErrorCode.BLOCKED)
            and bool(self.newer_token)
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its result, the reason, and fixes."""

    key: str
    title: str
    result: CheckResult
    reason: str
    fixes: tuple[str, ...] = ()


def run_checks(*, client: McpClient, evidence: Evidence) -> list[Check]:
    """Run the five checks for a connection of `client`."""
    return [
        _token(client, evidence),
        _plan(client, evidence),
        _node(client, evidence),
        _file(client, evidence),
        _restart(client, evidence),
    ]


def _token(client: McpClient, evidence: Evidence) -> Check:
    title = "The token is missing or malformed"
    if evidence.is_faulty and evidence.fault != FORBIDDEN_PLAN:
        problem = problem_for(evidence.fault, client)
        if evidence.sends_old_token:
            reason = "The token is complete but outdated; see the last check."
            return Check("token", title, CheckResult.POSSIBLE, reason, problem.fixes)
        return Check("token", title, CheckResult.FOUND, f"{problem.title}.", problem.fixes)
    if evidence.has_arrived:
        return Check("token", title, CheckResult.CLEAR, "The last token was well formed and accepted.")
    reason = "No requests received. Check the items below."
    return Check("token", title, CheckResult.LATER, reason)


def _plan(client: McpClient, evidence: Evidence) -> Check:
    title = "The workspace's plan has no API access (402)"
    if evidence.is_faulty and evidence.fault == FORBIDDEN_PLAN:
        fixes = problem_for(evidence.fault, client).fixes
        return Check("plan", title, CheckResult.FOUND, "Hoursmith answered the last call with 402.", fixes)
    if evidence.called_at is not None:
        return Check("plan", title, CheckResult.CLEAR, "Hoursmith has answered calls over this connection.")
    return Check("plan", title, CheckResult.LATER, "No call yet. Hoursmith checks the plan on the first call.")


def _node(client: McpClient, evidence: Evidence) -> Check:
    title = "Node.js is too old"
    if not client.needs_node:
        return Check("node", title, CheckResult.CLEAR, f"{client.title} does not need Node.js.")
    if evidence.has_arrived:
        return Check("node", title, CheckResult.CLEAR, "Requests arrive, so npx works.")
    fixes = (
        "Run node --version in a terminal: it must be v18 or later.",
        "Apps started from the dock or start menu may use another Node.js than your terminal.",
    )
    return Check("node", title, CheckResult.POSSIBLE, f"{client.title} uses npx; no requests received.", fixes)


def _file(client: McpClient, evidence: Evidence) -> Check:
    title = "The entry is in the wrong configuration file"
    if evidence.elsewhere_at is not None and not (evidence.last_seen_at and not evidence.is_faulty):
        reason = f"{client.title} calls with a token of the same user, but at another address."
        fixes = ("Set this connection’s address in the entry, and remove the older entry.", *_paths(client))
        return Check("file", title, CheckResult.FOUND, reason, fixes)
    if evidence.has_arrived:
        return Check("file", title, CheckResult.CLEAR, "Requests arrive at this connection's address.")
    if client.config is None:
        return Check("file", title, CheckResult.CLEAR, f"{client.title} has no configuration file.")
    return Check("file", title, CheckResult.POSSIBLE, "No requests received.", tuple(_paths(client)))


def _restart(client: McpClient, evidence: Evidence) -> Check:
    title = "The assistant was not restarted"
    if evidence.sends_old_token:
        reason = f"It still sends {evidence.fault_token or 'an old token'}; {evidence.newer_token} is newer."
        return Check("restart", title, CheckResult.FOUND, reason, (client.restart, *client.problems))
    if not evidence.has_arrived:
        fixes = (client.restart, *client.problems)
        return Check("restart", title, CheckResult.POSSIBLE, "No requests received.", fixes)
    if evidence.is_faulty:
        reason = "If you’ve fixed the configuration, restart the assistant to load it."
        return Check("restart", title, CheckResult.POSSIBLE, reason, (client.restart,))
    return Check("restart", title, CheckResult.CLEAR, "The last request was accepted.")


def _paths(client: McpClient) -> Iterator[str]:
    for file in client.config_files:
        found = dict.fromkeys(f"{system.label}: {path}" for system, path in file.paths.items())
        yield f"{file.title}: {' · '.join(found)}"
