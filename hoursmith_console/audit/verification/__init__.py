"""Verify the audit log from the console, and show what proves an entry."""
