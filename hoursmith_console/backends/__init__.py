"""Django backends: database, cache, sessions."""
