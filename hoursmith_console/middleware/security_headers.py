"""Security headers of every response, in addition to those of Django and django-csp."""

from collections.abc import Callable
from typing import Final

from csp.constants import NONE, SELF
from django.http import HttpRequest, HttpResponseBase

from hoursmith_console.authorizing.cookie import browser_id

# The pages use only passkeys and the clipboard. The rest is listed because the header has no "none".
_DENIED = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media",
    "fullscreen", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection", "local-fonts",
    "magnetometer", "microphone", "midi", "otp-credentials", "payment", "picture-in-picture", "screen-wake-lock",
    "serial", "storage-access", "usb", "window-management", "xr-spatial-tracking",
)  # fmt: skip
_OURS = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
_SIGN_IN = "/accounts/"
PERMISSIONS_POLICY = ", ".join([*(f"{name}=()" for name in _DENIED), *(f"{name}=(self)" for name in _OURS)])

# Of django-csp. No inline script or style, no third party.
_KINDS_FROM_SELF = ("script", "worker", "style", "img", "font", "connect")
CONTENT_SECURITY_POLICY: Final = {
    "DIRECTIVES": {
        **{directive: [NONE] for directive in ("default-src", "base-uri", "frame-ancestors")},
        **{f"{kind}-src": [SELF] for kind in _KINDS_FROM_SELF},
        "form-action": [SELF],
    }
}


class SecurityHeadersMiddleware:
    """Add Permissions-Policy, CORP, X-Frame-Options and Cache-Control: no-store to every response.

    On the way of an assistant's user to the authorization pages, sign-in pages keep their opener.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Django's own middleware is further in, and some error responses do not pass it.
        response.setdefault("X-Frame-Options", "DENY")
        if request.path.startswith(_SIGN_IN) and browser_id(request):
            # On the way to an authorization page. An assistant that opened a window for its user loses it for good on
            # any page with the console's own value, and takes the sign-in for cancelled.
            response["Cross-Origin-Opener-Policy"] = "unsafe-none"
        # Error pages and redirects too, since they depend on the user.
        response.setdefault("Cache-Control", "no-store, private")
        return response
