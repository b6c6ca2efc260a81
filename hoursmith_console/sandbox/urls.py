"""URLconf of the API, mounted at `sandbox/api/`."""

from django.urls import URLPattern, path

from hoursmith_console.sandbox.api.dispatch import Api
from hoursmith_console.sandbox.api.openapi import openapi_view
from hoursmith_console.sandbox.api.resources import OPERATIONS

urlpatterns: list[URLPattern] = [
    path("openapi.json", openapi_view),
    *Api(OPERATIONS).urls(),
]
