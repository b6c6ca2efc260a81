"""Claim tokens for members."""

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member


def claim_token(*, env: str, prefix: str, member: Member, source: str, form: str = "") -> TokenClaim:
    """Claim the token for `member` and return its claim; an existing claim of any member is kept.

    `form` is the one-use mark of the form that created it. A used mark raises IntegrityError.
    """
    claim, _ = TokenClaim.objects.get_or_create(
        env=env, prefix=prefix, defaults={"member": member, "source": source, "form": form}
    )
    return claim
