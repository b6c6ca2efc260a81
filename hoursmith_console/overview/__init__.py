"""The first page: what happened lately and what needs attention."""
