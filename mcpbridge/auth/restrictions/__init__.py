"""Restrict tokens from the console: block a token, pause destructive tools, add a notice, turn off snapshots.

A restriction can only narrow what a token may do, never widen it. It takes effect on the next request, on every worker
and machine (`store`), and is recorded in the audit log in the transaction that sets it.
"""
