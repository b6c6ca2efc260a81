"""Authenticate callers: credentials, identities, rate limits for unknown tokens, restrictions on tokens."""
