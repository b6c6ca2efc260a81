"""Approvals: destructive calls that wait for a decision, and the approval rules."""
