"""Where each area of the console is served. The bridge and the health checks are answered before Django (`asgi`)."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from hoursmith_console.audit.verification.keys import key
from hoursmith_console.audit.watchers.served import log_file
from hoursmith_console.core.site import site

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include("hoursmith_console.sign_in.urls")),
    path("", include("hoursmith_console.oauth.urls")),
    path("", include("hoursmith_console.authorizing.urls")),
    path("audit/key", key, name="audit_key"),
    path("", include("hoursmith_console.connections.bundle")),
    path("audit/log/<str:log>/<path:path>", log_file, name="audit_log_file"),
    path("", include("hoursmith_console.redirects")),
]
if settings.SANDBOX_MODE:
    urlpatterns.append(path("sandbox/api/", include("hoursmith_console.sandbox.urls")))
# Last, for it serves the root.
urlpatterns.append(path("", site.urls))

handler403 = "hoursmith_console.core.views.permission_denied"
handler500 = "hoursmith_console.middleware.request_id.server_error"
