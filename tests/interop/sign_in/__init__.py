"""Clients that sign in by themselves, and their user in front of the console's pages."""
