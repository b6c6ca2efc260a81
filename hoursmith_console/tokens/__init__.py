"""Observed tokens: list, owners, usage, blocking and claims."""
