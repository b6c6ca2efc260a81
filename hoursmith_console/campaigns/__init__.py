"""Campaigns: requests to rotate or revoke tokens by a due date, and their progress."""
