"""URLconf of `/rotations/leaked-tokens/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_POST

from hoursmith_console.core.permissions import after_asking_again, for_members, for_reviewers
from hoursmith_console.leaked_tokens import views

app_name = "leaked_tokens"
urlpatterns: list[URLPattern] = [
    path("", for_members(require_http_methods(["GET", "HEAD", "POST"])(views.reports)), name="list"),
    path("block/", for_members(require_POST(after_asking_again(views.block))), name="block"),
    path("rotate/", for_members(require_POST(after_asking_again(views.rotate))), name="rotate"),
    path("<int:key>/close/", for_reviewers(require_POST(views.close)), name="close"),
]
