"""Issue envelopes for codes and refresh envelopes, and accept access envelopes at `/mcp`."""
