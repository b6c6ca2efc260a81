"""The bridge: 31 MCP tools, each one REST call made with the caller's own token."""
