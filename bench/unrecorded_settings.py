"""The product's settings for `bench.unrecorded`."""

from hoursmith_console.settings import *  # noqa: F403

MCP_CATALOGUE = "bench.unrecorded.UnrecordedTools"
