"""Claim a token: prove who holds it by showing it once."""
