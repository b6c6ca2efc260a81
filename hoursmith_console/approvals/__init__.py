"""The approvals area: destructive calls that wait for a person, and what the workspace wants asked about."""
