"""Notices to assistants and emails to members about rotations."""
