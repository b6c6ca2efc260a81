"""What changes the console's knowledge of tokens."""

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member


def token_claim(*, env: str, prefix: str, member: Member, source: str) -> TokenClaim:
    """Note that the token belongs to `member`. The first claim stands: a later one by somebody else changes nothing."""
    claim, _ = TokenClaim.objects.get_or_create(env=env, prefix=prefix, defaults={"member": member, "source": source})
    return claim
