"""Stream the audit log of a workspace to its log destinations: webhooks, syslog servers and files.

Delivery is at least once and in order; each row carries its id and sequence number. `docs/audit-streaming.md` lists
the guarantees for receivers.
"""
