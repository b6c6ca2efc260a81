"""The product's settings for `bench.without_audit`."""

from hoursmith_console.settings import *  # noqa: F403

MCP_CATALOGUE = "bench.without_audit.UnrecordedTools"
