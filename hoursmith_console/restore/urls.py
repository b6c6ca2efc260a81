"""URLconf of `/audit/<call>/restore/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_POST

from hoursmith_console.core.site import site
from hoursmith_console.restore import views

app_name = "restore"
_GET_OR_POST = require_http_methods(["GET", "HEAD", "POST"])
urlpatterns: list[URLPattern] = [
    path("<uuid:key>/restore/", site.admin_view(_GET_OR_POST(views.restore)), name="new"),
    path(
        "<uuid:key>/restore/resolve/",
        site.admin_view(require_POST(views.resolve)),
        name="resolve",
    ),
]
