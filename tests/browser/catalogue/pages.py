"""Pages that include the catalogue's fragments as any page of the console may."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.catalogue.pages import client_setup
from hoursmith_console.urls import urlpatterns as console

PAGE = Path(__file__).with_name("page.html").read_text("utf-8")


def client(request: HttpRequest, key: str) -> HttpResponse:
    setup = client_setup(MCP_CLIENTS[key], url="https://console.example/mcp/c/9d2f61", prefix="4f8a2c1bdedf")
    return HttpResponse(engines["django"].from_string(PAGE).render({"setup": setup}, request))


urlpatterns = [path("try/<key>/", client), *console]
