"""What every part of the bridge shares: call types, ids, sanitizing, JSON parsing, networks, credentials."""
