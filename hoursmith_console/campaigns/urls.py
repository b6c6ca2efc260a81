"""URLconf of `/rotations/campaigns/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.campaigns import request_views, views
from hoursmith_console.core.permissions import admin_required, reviewer_required
from hoursmith_console.core.site import site

app_name = "campaigns"
urlpatterns: list[URLPattern] = [
    path("", site.admin_view(reviewer_required(require_safe(views.campaigns))), name="list"),
    path("new/", site.admin_view(admin_required(require_http_methods(["GET", "HEAD", "POST"])(views.new))), name="new"),
    path(
        "request/",
        site.admin_view(admin_required(require_http_methods(["GET", "HEAD", "POST"])(request_views.request_one))),
        name="request",
    ),
    path("<int:key>/", site.admin_view(reviewer_required(require_safe(views.detail))), name="detail"),
    path("<int:key>/remind/", site.admin_view(admin_required(require_POST(views.remind))), name="remind"),
    path("<int:key>/extend/", site.admin_view(admin_required(require_POST(views.extend))), name="extend"),
    path("<int:key>/close/", site.admin_view(admin_required(require_POST(views.close))), name="close"),
]
