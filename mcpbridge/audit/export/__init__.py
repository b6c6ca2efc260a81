"""The audit record for other programs: generators of bytes, fit for a command and for a streamed page alike.

Each takes the events of `source` one by one and holds no more than one in memory. `docs/audit-format.md` says what
stands where, and how every value is got back as it was.
"""
