"""Epochs of audit logs: a log continues in the next one after a restore, or after its signing key was lost."""
