"""Find what rules are about: in the audit log by its sequence, elsewhere by events that have no row yet."""
