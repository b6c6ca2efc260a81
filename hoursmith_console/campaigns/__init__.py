"""Campaigns: requests to rotate many tokens by a due date, and their progress."""
