"""The headers of every page and every error page, beside those that Django and django-csp set."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

# Passkeys are the one power that a page of ours asks the browser for; the rest is listed because there is no "none".
_DENIED = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media",
    "fullscreen", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection", "local-fonts",
    "magnetometer", "microphone", "midi", "otp-credentials", "payment", "picture-in-picture", "screen-wake-lock",
    "serial", "storage-access", "usb", "window-management", "xr-spatial-tracking",
)  # fmt: skip
_OURS = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS_POLICY = ", ".join([*(f"{name}=()" for name in _DENIED), *(f"{name}=(self)" for name in _OURS)])


class SecurityHeadersMiddleware:
    """Nothing of ours is embedded elsewhere, asks for powers, or is kept by a cache that was not told it may."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Django's own middleware for it stands further in, where some errors do not come by.
        response.setdefault("X-Frame-Options", "DENY")
        # Error pages and redirects too: what they say depends on who asks.
        response.setdefault("Cache-Control", "no-store, private")
        return response
