"""The bridge: 31 MCP tools, each one REST call made with the caller's own token."""

# The one place that states the version; the start, the MCP server, exports, telemetry and the settings page read it.
__version__ = "0.3.0"
