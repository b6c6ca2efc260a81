"""Database helpers without business terms: bulk statements, bounded waits, locks."""
