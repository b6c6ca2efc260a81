"""Watch keys: members create them, and watchers read the signed tree of the audit log with them."""
