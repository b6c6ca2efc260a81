"""Who sits in front of the authorization pages: a signed-in member, or a person known only by their token."""

from typing import cast

from django.http import HttpRequest

from hoursmith_console.token_issuer.claims import CheckedToken, ClaimError, require_own
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer

_OTHER_WORKSPACE = (
    "This token belongs to a workspace in which your console account is not a member. Use a token of your own, or sign "
    "out of the console first."
)
AUDITOR = "Auditors can’t give assistants access. Ask an Owner or Admin of the workspace."


def signed_in(request: HttpRequest) -> Viewer | None:
    """Return the signed-in member; None for anyone who may not open the console's pages."""
    viewer = cast(ConsoleRequest, request).viewer
    return viewer if viewer and not viewer.two_factor_demand else None


def member_for(viewer: Viewer | None, checked: CheckedToken) -> Member | None:
    """Return which of the signed-in person's memberships the token belongs to; None without a signed-in person.

    Raises ClaimError if it cannot be their own.
    """
    if viewer is None:
        return None
    found = [each for each in viewer.memberships if each.workspace.org_id == checked.org_id]
    if not found:
        raise ClaimError(_OTHER_WORKSPACE)
    member = found[0]
    if member.is_auditor:
        raise ClaimError(AUDITOR)
    require_own(member, checked)
    ref = checked.credential.token_ref
    claim = TokenClaim.objects.filter(env=ref.env, prefix=ref.prefix).select_related("member").first()
    if claim is not None and claim.member_id != member.pk:
        raise ClaimError(f"{claim.masked_token} is already claimed by {claim.member.name}. Use a token of your own.")
    return member
