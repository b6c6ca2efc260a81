"""What changes the console's knowledge of tokens."""

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member


def claim_token(*, env: str, prefix: str, member: Member, source: str, form: str = "") -> TokenClaim:
    """Note that the token belongs to `member`. The first claim stands: a later one by somebody else changes nothing.

    `form` is the mark of the form that minted it; a mark that minted before raises IntegrityError.
    """
    claim, _ = TokenClaim.objects.get_or_create(
        env=env, prefix=prefix, defaults={"member": member, "source": source, "form": form}
    )
    return claim
