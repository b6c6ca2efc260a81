"""Addresses of the authorization pages, where assistants expect them (MCP 2025-03-26: at the root)."""

from django.urls import URLPattern, path

from hoursmith_console.authorizing.views import authorize, decide

urlpatterns: list[URLPattern] = [
    path("authorize", authorize, name="authorize"),
    path("authorize/decision", decide, name="authorize_decision"),
]
