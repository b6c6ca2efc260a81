"""URLconf of `/rotations/token-policy/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from hoursmith_console.core.permissions import reviewer_required
from hoursmith_console.core.site import site
from hoursmith_console.token_policy import views

app_name = "token_policy"
urlpatterns: list[URLPattern] = [
    path(
        "", site.admin_view(reviewer_required(require_http_methods(["GET", "HEAD", "POST"])(views.edit))), name="edit"
    ),
]
