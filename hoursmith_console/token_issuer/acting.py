"""Act at Hoursmith once as a member: with a token that they paste, or in the sandbox with one made for this.

The token is dropped afterwards. It grants the console nothing that the member may not do.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.claims import verify_and_claim
from hoursmith_console.workspaces.models import Member
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.core.credential import Credential
from mcpbridge.models import TokenBlock


class BlockedTokenError(Exception):
    """The pasted token is blocked in this workspace."""


@contextmanager
def acting_credential(*, member: Member, text: str, name: str) -> Iterator[Credential]:
    """Provide a token that acts as `member`.

    In hosted mode it is the token `text`, verified and claimed as on the page "Claim a token". In the sandbox it is a
    new one called `name`, revoked at the end. Raises CredentialError, ClaimError, UnknownMemberError,
    BlockedTokenError or AuditUnavailableError.
    """
    issuer = current_issuer()
    if not issuer.supports_minting:
        verify_and_claim(member=member, text=text, actor=member.display_identity)
        credential = credential_from_text(text)
        _refuse_blocked(member, credential)
        yield credential
        return
    org_id, user_ref = member.workspace.org_id, member.user_ref
    minted = issuer.mint_token(org_id=org_id, user_ref=user_ref, name=name, scopes=("read", "write"))
    try:
        yield credential_from_text(minted.plaintext)
    finally:
        issuer.revoke_token(org_id=org_id, user_ref=user_ref, env=minted.env, prefix=minted.prefix)


def _refuse_blocked(member: Member, credential: Credential) -> None:
    blocks = TokenBlock.objects.filter(org_id=member.workspace.org_id, lifted_at=None)
    if blocks.filter(env=credential.env, prefix=credential.prefix).exists():
        raise BlockedTokenError
