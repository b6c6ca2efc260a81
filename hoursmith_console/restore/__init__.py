"""Restore what a destructive call archived or deleted, from the snapshot in its audit entry."""
