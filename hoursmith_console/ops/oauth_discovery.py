"""Tell MCP clients that look for OAuth after a refused token that this server does not use it.

Some clients show their user only this response, so it explains the refused token.
Sources: RFC 8414 and RFC 9728 (the addresses), RFC 7591 section 3.2.2 (the error).
"""

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt

EXPLANATION = (
    "This server uses Hoursmith tokens, not OAuth. The token was refused: "
    "check the client's configuration, or create a new token in Hoursmith under Settings → API."
)


@csrf_exempt
def reject_oauth(request: HttpRequest) -> JsonResponse:
    """Respond 400 to a registration and 404 to a metadata request, with the same explanation."""
    is_registration = request.path == "/register"
    return JsonResponse(
        {"error": "invalid_request", "error_description": EXPLANATION},
        status=400 if is_registration else 404,
        json_dumps_params={"ensure_ascii": False},
    )


urlpatterns: list[URLPattern] = [
    path("register", reject_oauth),
    re_path(
        r"^\.well-known/(?:oauth-protected-resource|oauth-authorization-server|openid-configuration)(?:/.*)?$",
        reject_oauth,
    ),
]
