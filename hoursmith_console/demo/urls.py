"""URLconf of `/demo/`."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_POST, require_safe

from hoursmith_console.core.permissions import admin_required, recent_auth_required
from hoursmith_console.core.site import site
from hoursmith_console.demo import views

app_name = "demo"
urlpatterns: list[URLPattern] = [
    path("", site.admin_view(require_safe(admin_required(views.demo))), name="page"),
    path("play/", site.admin_view(require_POST(admin_required(recent_auth_required(views.play)))), name="play"),
]
