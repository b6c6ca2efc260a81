"""What Django serves within `manage.py mcp_stdio`: the sandbox, to the bridge in the same process."""

from django.conf import settings
from django.urls import URLResolver, include, path

urlpatterns: list[URLResolver] = []
if settings.SANDBOX_MODE:
    urlpatterns.append(path("sandbox/api/", include("hoursmith_console.sandbox.urls")))
