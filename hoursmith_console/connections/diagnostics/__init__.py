"""Troubleshoot a connection from what the bridge observed."""
