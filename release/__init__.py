"""Builds the files and the notes of a version: `make release`."""
