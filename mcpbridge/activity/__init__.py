"""The activity log: every tool call, and what is counted and observed from it."""
