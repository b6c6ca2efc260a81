"""Destinations: where the record goes beside the database."""
