"""URLconf of `/rotations/token-policy/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from hoursmith_console.core.permissions import for_reviewers
from hoursmith_console.token_policy import views

app_name = "token_policy"
urlpatterns: list[URLPattern] = [
    path("", for_reviewers(require_http_methods(["GET", "HEAD", "POST"])(views.edit)), name="edit"),
]
