"""MCP itself: JSON-RPC, the server, prompts, and the stdio transport."""
