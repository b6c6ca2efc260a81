"""What the assistants did: every tool call, for reading."""
