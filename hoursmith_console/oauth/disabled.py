"""Tell MCP clients that look for OAuth after a refused token that this server does not use it.

Some clients show their user only this response, so it explains the refused token.
Sources: RFC 8414 and RFC 9728 (the addresses), RFC 7591 section 3.2.2 (the error).
"""

from django.http import HttpRequest, JsonResponse

EXPLANATION = (
    "This server uses Hoursmith tokens, not OAuth. The token was refused: "
    "check the client's configuration, or create a new token in Hoursmith under Settings → API."
)


def reject_oauth(request: HttpRequest) -> JsonResponse:
    """Respond 400 to a registration and 404 to any other request, with the same explanation."""
    return JsonResponse(
        {"error": "invalid_request", "error_description": EXPLANATION},
        status=400 if request.path == "/register" else 404,
        json_dumps_params={"ensure_ascii": False},
    )
