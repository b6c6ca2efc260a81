"""Page to claim a token by pasting it once."""

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters

from hoursmith_console.token_issuer.claims import ClaimError, ClaimResult, verify_and_claim
from hoursmith_console.tokens.labels import ref_of, token_labels
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.core.credential import CredentialError

FIELD = "token"


# No re-authentication: the token itself is a stronger proof than a password.
@sensitive_post_parameters(FIELD)
def claim(request: ConsoleRequest) -> HttpResponse:
    """Show the form; POST verifies the token and claims it."""
    if request.method != "POST":
        return _page(request)
    viewer = request.viewer
    try:
        claimed = verify_and_claim(
            member=viewer.member, text=request.POST.get(FIELD, ""), actor=viewer.member.display_identity
        )
    except CredentialError as fault:
        return _page(request, status=400, refusal=fault.explanation)
    except ClaimError as error:
        return _page(request, status=409, refusal=str(error))
    except AuditUnavailableError as error:
        return _page(request, status=503, refusal=str(error))
    return _page(request, claimed=claimed)


def _page(
    request: ConsoleRequest, *, status: int = 200, refusal: str = "", claimed: ClaimResult | None = None
) -> HttpResponse:
    cards = token_labels(request.viewer, [claimed.claim]) if claimed else {}
    context = {
        "title": "Claim a token",
        "refusal": refusal,
        "claimed": claimed,
        "card": cards.get(ref_of(claimed.claim)) if claimed else None,
        "field": FIELD,
    }
    answer = TemplateResponse(request, "tokens/claim.html", context, status=status)
    answer["Cache-Control"] = "no-store, private, max-age=0"
    return answer
