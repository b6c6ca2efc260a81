"""django-mcpz, the MCP server that is a Django view: one tool on Django's own request cycle, recording nothing.

The view is synchronous, so each call has a thread meanwhile. No database, no middleware but the one that states the
length of a reply, urllib3's pool of kept connections, and the upstream's JSON passed on as it came.
"""

import os
from typing import Any
from uuid import UUID

import django
import msgspec
import urllib3
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.urls import path
from django_mcpz.server import MCPServer, ToolError, public

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    LOGGING_CONFIG=None,
)
django.setup(set_prefix=False)

_UPSTREAM = os.environ["BENCH_UPSTREAM_URL"]
_pool = urllib3.PoolManager(maxsize=256, retries=False)
# The upstream checks the token, as it does for all contenders.
server = MCPServer(name="Hoursmith", version="1", auth=public)


class _Arguments(msgspec.Struct):
    id: UUID


@server.tool(description="One client.", read_only=True)
def get_client(request: HttpRequest, params: _Arguments) -> Any:
    """One client."""
    authorization = request.headers["Authorization"]
    reply = _pool.request("GET", f"{_UPSTREAM}/clients/{params.id}", headers={"Authorization": authorization})
    if reply.status != 200:
        raise ToolError(f"Hoursmith answered {reply.status}.")
    return msgspec.Raw(reply.data)


urlpatterns = [path("mcp", server)]
app = WSGIHandler()
