"""Carries the record to where its workspace wants it as well: webhooks, syslog servers, files.

At least once, in order, each row with its id and its place in the chain. `docs/audit-streaming.md` says what a
receiver may rely on.
"""
