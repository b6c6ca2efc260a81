"""Says of a refused request on a connection, in words for its owner, what was wrong and what mends it."""

from dataclasses import dataclass

from hoursmith_console.connections.catalogue import Client
from mcpbridge.activity.connections import OTHER_WORKSPACE
from mcpbridge.calls.errors import HINTS, MESSAGES
from mcpbridge.core.credential import EXPLANATIONS, CredentialErrorCode

FORBIDDEN_PLAN = "forbidden_plan"
TOO_MANY_ATTEMPTS = "too_many_attempts"
OTHER_MEMBER = "other_member"

_TITLES = {
    CredentialErrorCode.MISSING: "No token came",
    CredentialErrorCode.REPEATED_HEADER: "The token came twice",
    CredentialErrorCode.OTHER_SCHEME: "The header does not begin with “Bearer”",
    CredentialErrorCode.EMPTY: "The variable is empty",
    CredentialErrorCode.TOO_LONG: "What came is far too long",
    CredentialErrorCode.BEARER_TWICE: "“Bearer” stands twice",
    CredentialErrorCode.UNEXPANDED: "The variable's name came instead of the token",
    CredentialErrorCode.QUOTED: "The token stands in quotation marks",
    CredentialErrorCode.WHITESPACE: "There is a space in the token",
    CredentialErrorCode.PLACEHOLDER: "A placeholder came instead of the token",
    CredentialErrorCode.NOT_A_TOKEN: "What came is no Hoursmith token",
    CredentialErrorCode.MALFORMED: "The token is not whole",
    CredentialErrorCode.REJECTED: "Hoursmith does not accept the token",
    CredentialErrorCode.BLOCKED: "The token is blocked in this console",
}
# The mend of these is in how the client is spelt.
_OF_REFERENCES = {
    CredentialErrorCode.UNEXPANDED,
    CredentialErrorCode.EMPTY,
    CredentialErrorCode.MISSING,
    CredentialErrorCode.OTHER_SCHEME,
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong with a request, and what to do, each mend a sentence."""

    code: str
    title: str
    mends: tuple[str, ...]

    @property
    def is_of_token(self) -> bool:
        """Whether it is about what the client sends as its token."""
        return self.code != FORBIDDEN_PLAN


def trouble_of(code: str, client: Client | None) -> Trouble:
    """The trouble that the bridge calls `code`, with the mend as `client` spells it."""
    if code == FORBIDDEN_PLAN:
        return Trouble(code, MESSAGES[code], (HINTS[code],))
    if code == OTHER_WORKSPACE:
        mend = "Use a token of this workspace, or make a connection in the workspace that the token belongs to."
        return Trouble(code, "The token belongs to another workspace", (mend,))
    if code == OTHER_MEMBER:
        mend = "If the assistant is yours, put your own token into it. If not, somebody uses this connection's address."
        return Trouble(code, "Another member's token came here", (mend,))
    if code == TOO_MANY_ATTEMPTS:
        mend = "Wait a minute, put the right token in, and start the client again."
        return Trouble(code, "Too many unknown tokens were tried", (mend,))
    try:
        fault = CredentialErrorCode(code)
    except ValueError:
        return Trouble(code, code.replace("_", " ").capitalize(), ())
    mends = [EXPLANATIONS[fault]]
    if client is not None and fault in _OF_REFERENCES and client.reference:
        mends.append(f"{client.title} spells it {client.reference}")
    if client is not None and fault is CredentialErrorCode.UNEXPANDED and client.literal_config is not None:
        mends.append(f"Some versions of {client.title} do not expand it: use the form that holds the token itself.")
    return Trouble(code, _TITLES[fault], tuple(mends))
