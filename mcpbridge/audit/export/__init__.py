"""Export the audit log in several formats, as generators of bytes for commands and streamed responses.

Each reads the events of `source` one by one and keeps at most one in memory. `docs/audit-format.md` describes the
formats and how to restore every value.
"""
