"""Periodic work of the console."""
