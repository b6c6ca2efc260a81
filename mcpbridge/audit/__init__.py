"""The audit log of destructive calls and console events: written ahead, hash-chained, signed, verified, exported."""
