"""URLconf of `/rotations/campaigns/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.campaigns import views
from hoursmith_console.core.permissions import for_deciders, for_reviewers

app_name = "campaigns"
urlpatterns: list[URLPattern] = [
    path("", for_reviewers(require_safe(views.campaigns)), name="list"),
    path("new/", for_deciders(require_http_methods(["GET", "HEAD", "POST"])(views.new)), name="new"),
    path("<int:key>/", for_reviewers(require_safe(views.detail)), name="detail"),
    path("<int:key>/remind/", for_reviewers(require_POST(views.remind)), name="remind"),
    path("<int:key>/close/", for_reviewers(require_POST(views.close)), name="close"),
]
