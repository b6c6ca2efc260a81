"""Says that there is no OAuth here, to the MCP clients that look for it after a refused token.

Some of them show their person only what these addresses answer, so the words name the real fault.
Sources: RFC 8414 and RFC 9728 (the addresses), RFC 7591 section 3.2.2 (the error).
"""

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt

EXPLANATION = (
    "This server takes Hoursmith tokens, not OAuth. The token that was sent was refused: "
    "look at the client's configuration, or make a new token in Hoursmith under Settings → API."
)


@csrf_exempt
def reject_oauth(request: HttpRequest) -> JsonResponse:
    """400 to a registration, 404 to a search for metadata; the same words to both."""
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
