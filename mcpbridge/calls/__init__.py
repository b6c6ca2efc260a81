"""One tool call, from the caller's identity to its record."""
