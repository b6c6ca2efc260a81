"""Periodic jobs of the console."""
