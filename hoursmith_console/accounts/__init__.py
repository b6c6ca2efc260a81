"""Accounts: email addresses, sessions, encryption, OpenID Connect identities. Memberships are in `workspaces`."""
