"""Activity: the log of every tool call."""
