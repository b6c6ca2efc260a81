"""Explain rejected requests of a connection: the problem and its fixes."""

from dataclasses import dataclass

from hoursmith_console.connections.catalogue import McpClient
from mcpbridge.activity.connections import OTHER_WORKSPACE
from mcpbridge.calls.errors import HINTS, MESSAGES
from mcpbridge.core.credential import EXPLANATIONS, CredentialErrorCode

FORBIDDEN_PLAN = "forbidden_plan"
TOO_MANY_ATTEMPTS = "too_many_attempts"
OTHER_MEMBER = "other_member"

_TITLES = {
    CredentialErrorCode.MISSING: "No token received",
    CredentialErrorCode.REPEATED_HEADER: "The Authorization header was sent twice",
    CredentialErrorCode.OTHER_SCHEME: "The header does not start with “Bearer”",
    CredentialErrorCode.EMPTY: "The variable is empty",
    CredentialErrorCode.TOO_LONG: "The value is too long",
    CredentialErrorCode.BEARER_TWICE: "“Bearer” is duplicated",
    CredentialErrorCode.UNEXPANDED: "Environment variable not expanded",
    CredentialErrorCode.QUOTED: "The token is wrapped in quotes",
    CredentialErrorCode.WHITESPACE: "The token contains a space",
    CredentialErrorCode.PLACEHOLDER: "A placeholder was sent instead of the token",
    CredentialErrorCode.NOT_A_TOKEN: "Not a Hoursmith token",
    CredentialErrorCode.MALFORMED: "The token is incomplete",
    CredentialErrorCode.ENVELOPE_EXPIRED: "The assistant’s access token has expired",
    CredentialErrorCode.ENVELOPE_UNREADABLE: "The assistant’s access token is not accepted any more",
    CredentialErrorCode.GRANT_ENDED: "The assistant’s access was ended",
    CredentialErrorCode.WRONG_CONNECTION: "The assistant signed in at another address",
    CredentialErrorCode.NOT_AN_ACCESS_ENVELOPE: "The assistant did not send its access token",
    CredentialErrorCode.REJECTED: "Hoursmith rejects the token",
    CredentialErrorCode.BLOCKED: "The token is blocked in this console",
}
# Faults in how a client references the variable.
_OF_REFERENCES = {
    CredentialErrorCode.UNEXPANDED,
    CredentialErrorCode.EMPTY,
    CredentialErrorCode.MISSING,
    CredentialErrorCode.OTHER_SCHEME,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a request, and its fixes, one sentence each."""

    code: str
    title: str
    fixes: tuple[str, ...]

    @property
    def is_of_token(self) -> bool:
        """Whether the problem is in the token that the client sends."""
        return self.code != FORBIDDEN_PLAN


def problem_for(code: str, client: McpClient | None) -> Problem:
    """Return the problem with the bridge's `code`, with fixes for `client`."""
    if code == FORBIDDEN_PLAN:
        return Problem(code, MESSAGES[code], (HINTS[code],))
    if code == OTHER_WORKSPACE:
        fix = "Use a token of this workspace, or create the connection in the token’s workspace."
        return Problem(code, "The token belongs to another workspace", (fix,))
    if code == OTHER_MEMBER:
        fix = "Use your own token. If this is not your assistant, someone else uses this connection’s address."
        return Problem(code, "Another member’s token was used", (fix,))
    if code == TOO_MANY_ATTEMPTS:
        fix = "Wait a minute, then set the right token and restart the assistant."
        return Problem(code, "Too many attempts with unknown tokens", (fix,))
    try:
        fault = CredentialErrorCode(code)
    except ValueError:
        return Problem(code, code.replace("_", " ").capitalize(), ())
    fixes = [EXPLANATIONS[fault]]
    if client is not None and fault in _OF_REFERENCES and client.reference:
        fixes.append(f"In {client.title}, write {client.reference}")
    if client is not None and fault is CredentialErrorCode.UNEXPANDED and client.literal_config is not None:
        fixes.append(f"Some versions of {client.title} do not expand it: use the configuration with the token itself.")
    return Problem(code, _TITLES[fault], tuple(fixes))
