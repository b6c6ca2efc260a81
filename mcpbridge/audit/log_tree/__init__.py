"""The Merkle tree of each stored audit log: its tiles, its origin, and the upgrade from format 1."""
