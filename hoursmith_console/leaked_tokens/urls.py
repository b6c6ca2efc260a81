"""URLconf of `/rotations/leaked-tokens/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_POST

from hoursmith_console.core.permissions import recent_auth_required, reviewer_required
from hoursmith_console.core.site import site
from hoursmith_console.leaked_tokens import views

app_name = "leaked_tokens"
urlpatterns: list[URLPattern] = [
    path("", site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(views.reports)), name="list"),
    path("block/", site.admin_view(require_POST(recent_auth_required(views.block))), name="block"),
    path("rotate/", site.admin_view(require_POST(recent_auth_required(views.rotate))), name="rotate"),
    path("<int:key>/close/", site.admin_view(reviewer_required(require_POST(views.close))), name="close"),
]
