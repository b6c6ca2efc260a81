"""The settings of `manage.py mcp_stdio`, which serves no pages: all of the console's, without what only pages need.

An AI client starts the command for each window and waits for it; loading the pages would take longer than
everything else.
"""

from hoursmith_console.settings import *  # noqa: F403
from hoursmith_console.settings import SANDBOX_MODE

INSTALLED_APPS = ["mcpbridge", *(["hoursmith_console.sandbox"] if SANDBOX_MODE else [])]
MIDDLEWARE = ["hoursmith_console.middleware.request_id.RequestIdMiddleware"]
ROOT_URLCONF = "hoursmith_console.stdio_urls"
TEMPLATES = []
