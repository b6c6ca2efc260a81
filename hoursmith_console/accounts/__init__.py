"""Accounts: their proven addresses, OpenID Connect identities, sessions and known browsers."""
