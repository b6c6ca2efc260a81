"""A whole token for the length of one request, and the error that names what is wrong with one.

What was sent is never repeated: even a mangled token may hold most of a secret.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from mcpbridge.core.token_digest import Digests, token_digests
from mcpbridge.models import TokenRef

NO_TOKEN = TokenRef("", "")


class CredentialErrorCode(StrEnum):
    """What is wrong with a credential."""

    MISSING = "missing"
    REPEATED_HEADER = "repeated_header"
    OTHER_SCHEME = "other_scheme"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    BEARER_TWICE = "bearer_twice"
    UNEXPANDED = "unexpanded_reference"
    QUOTED = "quoted"
    WHITESPACE = "whitespace"
    PLACEHOLDER = "placeholder"
    NOT_A_TOKEN = "not_hoursmith"  # noqa: S105 – the name of an error
    MALFORMED = "malformed"
    # Of an assistant that signed in.
    ENVELOPE_EXPIRED = "envelope_expired"
    ENVELOPE_UNREADABLE = "envelope_unreadable"
    GRANT_ENDED = "grant_ended"
    WRONG_CONNECTION = "wrong_connection"
    NOT_AN_ACCESS_ENVELOPE = "not_an_access_envelope"
    # Found later: by Hoursmith, or in the block list.
    REJECTED = "rejected"
    BLOCKED = "blocked"


EXPLANATIONS: dict[CredentialErrorCode, str] = {
    CredentialErrorCode.MISSING: (
        "No token was sent. Add the header “Authorization: Bearer hsk_…” to the client's configuration."
    ),
    CredentialErrorCode.REPEATED_HEADER: "The Authorization header was sent more than once. Keep one.",
    CredentialErrorCode.OTHER_SCHEME: "The Authorization header must be “Bearer ” followed by the token.",
    CredentialErrorCode.EMPTY: (
        "The Authorization header has no token after “Bearer”. The variable that it names is probably empty."
    ),
    CredentialErrorCode.TOO_LONG: "The Authorization header is far too long to be a token.",
    CredentialErrorCode.BEARER_TWICE: "“Bearer” appears twice. Remove it from the variable or from the configuration.",
    CredentialErrorCode.UNEXPANDED: (
        "The client sent the name of a variable instead of its value. Set HOURSMITH_API_TOKEN where the client is "
        "started, and use this client's variable syntax."
    ),
    CredentialErrorCode.QUOTED: "The token is in quotation marks. Remove them.",
    CredentialErrorCode.WHITESPACE: "There is a space or a line break in the token. Paste it again, in one piece.",
    CredentialErrorCode.PLACEHOLDER: "The configuration still has a placeholder. Replace it with the token.",
    CredentialErrorCode.NOT_A_TOKEN: "This is not a Hoursmith token: Hoursmith tokens start with hsk_.",
    CredentialErrorCode.MALFORMED: (
        "The token is incomplete. A whole token is hsk_live_ or hsk_test_, 12 characters, an underscore and "
        "32 characters."
    ),
    CredentialErrorCode.ENVELOPE_EXPIRED: (
        "The assistant's access token has expired, and the assistant did not renew it. Connect it again."
    ),
    CredentialErrorCode.ENVELOPE_UNREADABLE: (
        "This console did not issue the assistant's access token, or no longer accepts it. Connect the assistant again."
    ),
    CredentialErrorCode.GRANT_ENDED: (
        "The access of this assistant was ended in the Hoursmith console. Connect it again if it should continue."
    ),
    CredentialErrorCode.WRONG_CONNECTION: (
        "The assistant signed in at another address than the one that it uses now. Remove it and connect it again."
    ),
    CredentialErrorCode.NOT_AN_ACCESS_ENVELOPE: (
        "The assistant sent a code, a refresh token or a client id instead of its access token. Connect it again."
    ),
    CredentialErrorCode.REJECTED: (
        "Hoursmith does not accept this token: it is unknown or was revoked. Create a new one under Settings → API."
    ),
    CredentialErrorCode.BLOCKED: (
        "This token is blocked in the Hoursmith console. Ask an admin of the workspace, or create a new token."
    ),
}


@dataclass(frozen=True, slots=True)
class Credential:
    """A whole token, kept for one request only. Its representation shows the prefix alone."""

    env: str
    prefix: str
    secret: str = field(repr=False)
    # Identify the token itself, not only its prefix; see `token_digest`.
    digests: Digests = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digests", token_digests(self.token))

    @property
    def token_ref(self) -> TokenRef:
        """Return what is public of the token."""
        return TokenRef(self.env, self.prefix)

    @property
    def token(self) -> str:
        """Return the whole token; only `mcpbridge.upstream` may use it."""
        return f"hsk_{self.env}_{self.prefix}_{self.secret}"


class CredentialError(Exception):
    """The credential cannot be used. `token` and `digests` are empty unless a whole token was recognised."""

    def __init__(self, code: CredentialErrorCode, *, token: TokenRef = NO_TOKEN, digests: Digests = ()) -> None:
        super().__init__(code)
        self.code = code
        self.token = token
        self.digests = digests

    @property
    def explanation(self) -> str:
        return EXPLANATIONS[self.code]
