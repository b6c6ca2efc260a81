"""Middleware of every page."""
